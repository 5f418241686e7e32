// The client against a server of the protocol over TLS, which checks each signature.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { storeProblem } from "../../../host/store/problem.ts";
import { contentOf, openS3, type S3 } from "../../../host/store/s3.ts";
import { withFile } from "../../../host/store/tree.ts";
import { startS3, type TestS3 } from "../../support/s3.ts";

let server: TestS3;
let s3: S3;
let directory: string;
beforeAll(async () => {
  server = await startS3();
  s3 = openS3(server.s3);
  directory = mkdtempSync(join(tmpdir(), "miosa-s3-test-"));
});
afterAll(async () => {
  s3?.close();
  await server?.stop();
  rmSync(directory, { recursive: true, force: true });
});

const read = async (key: string) => {
  const object = await s3.get(key);
  return object === undefined ? undefined : { ...object, content: await buffer(object.stream) };
};

async function keysOf(prefix: string): Promise<readonly string[]> {
  const keys: string[] = [];
  for await (const { key } of s3.list(prefix)) keys.push(key);
  return keys;
}

describe("an object", () => {
  test("is kept as it is, and told with what it was stored as", async () => {
    const content = contentOf(Buffer.from("some bytes"));
    await s3.put("a/one%20odd.name", content);
    expect(await read("a/one%20odd.name")).toMatchObject({
      bytes: 10,
      sha256: content.sha256,
      content: Buffer.from("some bytes"),
    });
    expect(await read("a/none")).toBeUndefined();
  });

  test("is streamed from a large file", async () => {
    const bytes = Buffer.alloc(5 * 1024 ** 2, "miosa");
    writeFileSync(join(directory, "large"), bytes);
    expect(await withFile(directory, ["large"], (content) => s3.put("large", content))).toBe(true);
    expect((await read("large"))?.content.equals(bytes)).toBe(true);
  });

  test("is removed, and once more", async () => {
    await s3.put("gone", contentOf(Buffer.from("x")));
    await s3.remove(["gone", "never"]);
    await s3.remove(["gone"]);
    expect(await read("gone")).toBeUndefined();
  });
});

describe("a listing", () => {
  test("has all objects below a prefix, over pages, and folders", async () => {
    const keys = Array.from({ length: 1005 }, (_, n) => `many/${String(n).padStart(4, "0")}/x`);
    const nothing = contentOf(Buffer.alloc(0));
    for (let at = 0; at < keys.length; at += 50) {
      await Promise.all(keys.slice(at, at + 50).map((key) => s3.put(key, nothing)));
    }
    expect(await keysOf("many/")).toEqual(keys);
    expect(await s3.folders("many/")).toEqual(keys.map((key) => key.split("/")[1]));
    await s3.remove(keys);
    expect(await keysOf("many/")).toEqual([]);
  });
});

describe("a store that does not do it", () => {
  const wrong = [
    ["key", { key: "AKIANOBODY" }, /check backup\.s3\.key /],
    ["secret", { key_secret: "another-secret" }, /check backup\.s3\.key_secret/],
    ["region", { region: "us-9" }, /check backup\.s3\.region/],
    ["bucket", { bucket: "another" }, /check backup\.s3\.bucket/],
    ["port", { port: 1 }, /check that it is up, and backup\.s3\.endpoint/],
    ["authority", { ca_file: undefined }, /check backup\.s3\.ca_file/],
  ] as const;

  test.each(wrong)("is told with the setting to look at: %s", async (_, changes, words) => {
    const other = openS3({ ...server.s3, ...changes });
    const said = await other.get("a").then(
      () => "nothing",
      (error) => storeProblem(error),
    );
    other.close();
    expect(said).toMatch(words);
    expect(said).not.toContain(server.s3.key_secret);
  });

  test("does nothing any more after it was closed", async () => {
    const other = openS3(server.s3);
    other.close();
    await expect(other.get("a")).rejects.toThrow(/closed/);
  });
});
