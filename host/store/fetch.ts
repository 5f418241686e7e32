// Reads objects of the store.
import { createHash } from "node:crypto";
import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { StoreDamage } from "./problem.ts";
import type { S3 } from "./s3.ts";

/** Writes an object to where it goes, as it was when it was stored. */
export async function fetchInto(s3: S3, key: string, target: Writable): Promise<void> {
  const object = await s3.get(key);
  if (object === undefined) throw new StoreDamage(`${key} is not in the store any more.`);
  const { stream, sha256, bytes } = object;
  const hash = createHash("sha256");
  let length = 0;
  async function* hashed(source: AsyncIterable<Buffer>) {
    for await (const chunk of source) {
      hash.update(chunk);
      length += chunk.length;
      yield chunk;
    }
  }
  await pipeline(stream, hashed, target);
  const isSame = length === bytes && (sha256 === null || sha256 === hash.digest("hex"));
  if (!isSame) throw new StoreDamage(`The store gave other bytes for ${key} than were stored.`);
}
