// The small files by which pgBackRest knows a repository, encrypted anew each time they are
// written: as of `openssl enc -aes-256-cbc -md sha1`.
import { createDecipheriv, createHash } from "node:crypto";
import { markOf } from "./copying.ts";

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

/**
 * Names the repository such a file belongs to: by the key in it, of which all that is stored there
 * is encrypted. Undefined when it cannot be read.
 */
export function repositoryIn(file: Buffer, pass: string): string | undefined {
  const start = magic.length + saltBytes;
  if (!file.subarray(0, magic.length).equals(magic)) return undefined;
  const salt = file.subarray(magic.length, start);
  try {
    const decipher = createDecipheriv("aes-256-cbc", ...keyAndIv(pass, salt));
    const text = Buffer.concat([
      decipher.update(file.subarray(start)),
      decipher.final(),
    ]).toString();
    const [, key] = /^cipher-pass="([^"\n]+)"$/m.exec(text) ?? [];
    return key === undefined ? undefined : markOf(key);
  } catch {
    return undefined;
  }
}
