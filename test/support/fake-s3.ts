// A store in memory, which tells in what order it was written to.

import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import type { S3 } from "../../host/store/s3.ts";

/** Makes one; nothing is in it. */
export function fakeS3() {
  const objects = new Map<string, Buffer>();
  const puts: string[] = [];
  const s3: S3 = {
    async put(key, content) {
      const opened = content.open();
      objects.set(key, Buffer.isBuffer(opened) ? opened : await buffer(opened));
      puts.push(key);
    },
    async get(key) {
      const found = objects.get(key);
      if (found === undefined) return undefined;
      const stream = Readable.from([found]) as unknown as IncomingMessage;
      return { bytes: found.length, sha256: null, stream };
    },
    async *list(prefix) {
      for (const [key, { length: bytes }] of objects)
        if (key.startsWith(prefix)) yield { key, bytes };
    },
    folders: async () => [],
    async remove(keys) {
      for (const key of keys) objects.delete(key);
    },
    close: () => undefined,
  };
  return { s3, objects, puts };
}
