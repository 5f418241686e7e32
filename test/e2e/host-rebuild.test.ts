// The drill: a host program with three databases, its machine gone, and the same URLs again.
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Client } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../support/client.ts";
import {
  type HostProgram,
  type ProgramDatabase,
  startHostProgram,
} from "../support/host-program.ts";
import { startS3, type TestS3 } from "../support/s3.ts";

const program = fileURLToPath(new URL("../../host/program/rebuild.ts", import.meta.url));

let s3: TestS3;
let host: HostProgram;
beforeAll(async () => {
  s3 = await startS3();
  const encryption_key = randomBytes(32).toString("base64url");
  host = await startHostProgram({ backup: { s3: s3.s3, encryption_key } });
});
afterAll(async () => {
  await host?.stop();
  await s3?.stop();
});

async function run(database: ProgramDatabase, text: string): Promise<readonly unknown[]> {
  const client = new Client(host.urlOf(database));
  await client.connect();
  return client
    .query(text)
    .then(({ rows }) => rows)
    .finally(() => client.end());
}

/** Keys of all objects. */
async function listed(): Promise<string> {
  return readdirSync(join(s3.directory, "bucket", "object"))
    .map(decodeURIComponent)
    .join("\n");
}

test("all databases of a machine that is gone are back at their URLs", async () => {
  const databases: ProgramDatabase[] = [];
  for (const name of ["proj_drill_a", "proj_drill_b", "proj_drill_c"]) {
    databases.push(await host.create(name));
  }
  for (const database of databases) {
    await run(database, "create table ledger as select generate_series(1, 1000) as n");
  }
  const before = await host.command("status", {});
  for (const { name } of databases) {
    const isThere = (keys: string) =>
      keys.includes(`database/${name}/data/backup/main/backup.info\n`) &&
      keys.includes(`database/${name}/record`);
    await until(`${name} in the store`, listed, isThere, 60);
  }
  // In order: what was written last reaches the store before the host program ends.
  await host.end("SIGTERM");
  rmSync(host.directory, { recursive: true });
  const config = join(dirname(host.directory), "host.json");
  const { stdout } = await promisify(execFile)(process.execPath, [program, "--config", config]);
  expect(stdout).toMatch(/3 databases are back/);
  await host.start();
  for (const database of databases) {
    expect(await run(database, "select count(*)::int as n from ledger")).toEqual([{ n: 1000 }]);
  }
  const after = await host.command("status", {});
  expect(after.identity).toBe(before.identity);
  expect(existsSync(join(host.directory, "rebuild.json"))).toBe(true);
}, 180_000);
