// Poolers on loopback take TLS and plain alike; their URLs carry no sslmode.
import { execFile } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { createProject, withSql } from "../support/client.ts";
import { system } from "../support/shared-system.ts";

const urls: Record<string, string> = {};

beforeAll(async () => {
  const { database } = await createProject(system);
  urls.transaction = database.database_url;
  urls.session = database.database_url_session;
});

async function authorities(): Promise<string> {
  return (await fetch(`${system.dev().root_url}/.well-known/miosa-ca.pem`)).text();
}

const one = (url: string | undefined, ssl: object | false) =>
  withSql(url ?? "", (client) => client.query("select 1 as one"), { ssl });

describe.each(["transaction", "session"])("the %s pooler", (mode) => {
  test("takes a plain connection", async () => {
    expect((await one(urls[mode], false)).rows).toEqual([{ one: 1 }]);
  });

  test("takes TLS as sslmode=require asks for it", async () => {
    const { rows } = await one(urls[mode], { rejectUnauthorized: false });
    expect(rows).toEqual([{ one: 1 }]);
  });

  test("has a certificate that the host's own authority vouches for", async () => {
    const { rows } = await one(urls[mode], { ca: await authorities(), servername: "localhost" });
    expect(rows).toEqual([{ one: 1 }]);
  });

  test("is reached by psql with sslmode=verify-full", async () => {
    // Where whoever runs psql may read.
    const directory = mkdtempSync(join(tmpdir(), "miosa-ca-"));
    chmodSync(directory, 0o755);
    try {
      const file = join(directory, "miosa-ca.pem");
      writeFileSync(file, await authorities());
      const url = `${urls[mode]}?sslmode=verify-full&sslrootcert=${file}`;
      const line = `${system.dev().psql} "$URL" -XAtc 'select 6 * 7'`;
      const env = { ...process.env, URL: url };
      const { stdout } = await promisify(execFile)("sh", ["-c", line], { env, cwd: "/tmp" });
      expect(stdout.trim()).toBe("42");
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test("is not trusted without that authority", async () => {
    await expect(one(urls[mode], { servername: "localhost" })).rejects.toThrow(/certificate/);
  });
});
