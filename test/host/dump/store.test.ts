import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type DumpStore, openDumpStore } from "../../../host/dump/store.ts";

const secret = "a key only tests know, of a good length";
const id = "019a0000-0000-7000-8000-0000000000d1";

let directory: string;
let store: DumpStore;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "miosa-dump-store-"));
  store = openDumpStore(directory, secret);
});

afterEach(() => rmSync(directory, { recursive: true }));

async function* chunks(...all: Buffer[]) {
  yield* all;
}

async function contentOf(from: DumpStore): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of (await from.read(id)).content) parts.push(chunk);
  return Buffer.concat(parts);
}

describe("what is kept", () => {
  test.each([0, 1, 65_535, 65_536, 65_537, 131_072, 300_001])(
    "comes back as it was, with its size and digest: %d bytes",
    async (bytes) => {
      const content = randomBytes(bytes);
      const half = Math.floor(bytes / 2);
      const source = chunks(content.subarray(0, half), content.subarray(half));
      const stored = await store.write(id, source, "pg_dump 17");
      const sha256 = createHash("sha256").update(content).digest("hex");
      expect(stored).toMatchObject({ dump_id: id, size_bytes: bytes, sha256 });
      expect(openDumpStore(directory, secret).find(id)).toEqual(stored);
      expect((await contentOf(store)).equals(content)).toBe(true);
    },
  );

  test("is not readable on disk", async () => {
    await store.write(id, chunks(Buffer.from("a secret word")), "pg_dump 17");
    expect(readFileSync(join(directory, `${id}.dump`), "latin1")).not.toContain("secret");
  });

  test.each(["changed", "cut off", "without its last piece"])(
    "is refused when it was %s",
    async (how) => {
      await store.write(id, chunks(randomBytes(200_000)), "pg_dump 17");
      const path = join(directory, `${id}.dump`);
      const file = readFileSync(path);
      if (how === "changed") file.writeUInt8((file.at(100_000) ?? 0) ^ 1, 100_000);
      const piece = 65_536 + 16;
      const ends = { changed: file.length, "cut off": 150_000 };
      const end = ends[how as keyof typeof ends] ?? 42 + 3 * piece;
      writeFileSync(path, file.subarray(0, end));
      await expect(contentOf(store)).rejects.toThrow(/damaged/);
    },
  );

  test("is refused with another key", async () => {
    await store.write(id, chunks(randomBytes(10)), "pg_dump 17");
    const other = openDumpStore(directory, "another key");
    await expect(contentOf(other)).rejects.toThrow(/another encryption key/);
  });
});

describe("what breaks off", () => {
  test.each([0, 100_000])("leaves nothing, after %d bytes", async (bytes) => {
    async function* broken() {
      if (bytes > 0) yield randomBytes(bytes);
      throw new Error("It broke.");
    }
    await expect(store.write(id, broken(), "pg_dump 17")).rejects.toThrow("It broke.");
    expect(readdirSync(directory)).toEqual([]);
  });

  test("with its program is removed at the next start; what was finished stays", async () => {
    await store.write(id, chunks(randomBytes(10)), "pg_dump 17");
    const other = id.replace("d1", "d2");
    writeFileSync(join(directory, `${other}.part`), "half");
    writeFileSync(join(directory, `${other}.dump`), "without facts");
    expect(openDumpStore(directory, secret).list()).toHaveLength(1);
    expect(readdirSync(directory).sort()).toEqual([`${id}.dump`, `${id}.json`]);
  });
});
