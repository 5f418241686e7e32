// Small things that are kept in the store: packed, encrypted with a key made of the fleet's secret,
// and bound to their name, so that none can be put in the place of another.
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { StoreDamage } from "./problem.ts";

const magic = Buffer.from("MIOSA-S1");
const nonceBytes = 12;
const tagBytes = 16;
const algorithm = "aes-256-gcm";
const contentBytesMax = 64 * 1024 ** 2;

/** Seals and opens what is kept under names. */
export interface Sealer {
  seal(name: string, content: Buffer | string): Buffer;
  /** @throws StoreDamage when it was changed, is another's, or was sealed with another secret */
  open(name: string, sealed: Buffer): Buffer;
}

/** The one of a host with this secret. */
export function createSealer(secret: string): Sealer {
  const key = Buffer.from(hkdfSync("sha256", secret, "", "miosa store", 32));
  return {
    seal(name, content) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(algorithm, key, nonce).setAAD(Buffer.from(name));
      const packed = deflateRawSync(content, { level: 1 });
      return Buffer.concat([
        magic,
        nonce,
        cipher.update(packed),
        cipher.final(),
        cipher.getAuthTag(),
      ]);
    },
    open(name, sealed) {
      const body = sealed.subarray(magic.length);
      const nonce = body.subarray(0, nonceBytes);
      try {
        if (!sealed.subarray(0, magic.length).equals(magic)) throw new Error("no seal");
        const decipher = createDecipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
        decipher.setAAD(Buffer.from(name)).setAuthTag(body.subarray(-tagBytes));
        const packed = decipher.update(body.subarray(nonceBytes, -tagBytes));
        const whole = Buffer.concat([packed, decipher.final()]);
        return inflateRawSync(whole, { maxOutputLength: contentBytesMax });
      } catch {
        throw new StoreDamage(
          `${name} in the store is damaged, or was sealed with another secret.`,
        );
      }
    },
  };
}
