// What pgBackRest keeps encrypted, as a test that forges it reads and writes it: as of `openssl enc
// -aes-256-cbc -md sha1`.
import { createCipheriv, createHash, randomBytes } from "node:crypto";

const magic = Buffer.from("Salted__");
const saltBytes = 8;
const keyBytes = 32;
const ivBytes = 16;

function keyAndIv(pass: string, salt: Buffer) {
  let derived = Buffer.alloc(0);
  let last = Buffer.alloc(0);
  while (derived.length < keyBytes + ivBytes) {
    last = createHash("sha1").update(last).update(pass).update(salt).digest();
    derived = Buffer.concat([derived, last]);
  }
  return [derived.subarray(0, keyBytes), derived.subarray(keyBytes, keyBytes + ivBytes)] as const;
}

/** The file of a content. */
export function encrypted(content: Buffer, pass: string): Buffer {
  const salt = randomBytes(saltBytes);
  const cipher = createCipheriv("aes-256-cbc", ...keyAndIv(pass, salt));
  return Buffer.concat([magic, salt, cipher.update(content), cipher.final()]);
}
