// Backups are proved by restoring: what is whole passes, what is damaged does not and names its
// file, and nobody who writes meanwhile makes either of it other than it is.
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readIfExists } from "../../host/file.ts";
import type { HostCommandReport } from "../../src/contract/command.ts";
import { until } from "../support/client.ts";
import { all, filesIn, turnBits } from "../support/damage.ts";
import { startTestHost, type TestHost } from "../support/host.ts";
import { type RecoveringHost, recoveringHost, tenantPassword } from "../support/recovering.ts";

const roles = { owner: `own_${"a".repeat(20)}`, login: `usr_${"b".repeat(20)}` };
const other = { owner: `own_${"c".repeat(20)}`, login: `usr_${"d".repeat(20)}` };

let host: TestHost;
let it: RecoveringHost;
let oid: number;

beforeAll(async () => {
  host = await startTestHost();
  it = recoveringHost(host);
  await it.makeTenant("proj_proved", roles);
  await it.makeTenant("proj_stopped", other);
  oid = await it.oidOf("proj_proved");
  await run(`
    create table "Odd ""name" (t text, at timestamptz default now(), n numeric, j jsonb);
    insert into "Odd ""name" select 'row ' || n, now(), n / 7.0, '{"a": [1, 2]}'
      from generate_series(1, 5000) as n;
    create index on "Odd ""name" (lower(t));
    create table empty ();
    create table parted (n int) partition by range (n);
    create table part_one partition of parted for values from (0) to (100);
    insert into parted select generate_series(0, 99)`);
  await it.baseBackup("full");
  await run(`insert into "Odd ""name" (t) values ('after the backup')`);
}, 120_000);

afterAll(() => host?.stop());

const run = (text: string) =>
  it.asTenant("proj_proved", roles.login, (client) => client.query(text));

const login = { database: "proj_proved", user: roles.login, password: tenantPassword };

type Report = HostCommandReport<"verification.status">;
type Target = { readonly database_oid: number; readonly login: typeof login | null };

async function verify(...targets: Target[]): Promise<Report> {
  const verification_id = randomUUID();
  const databases = targets.map((target) => ({ database_id: randomUUID(), ...target }));
  await it.report("verification.start", { verification_id, databases });
  const status = () => it.report("verification.status", { verification_id });
  return until("a verification", status, ({ state }) => state !== "running", 60);
}

function resultsOf({ databases }: Report, at = 0) {
  const checks = databases[at]?.checks ?? [];
  return Object.fromEntries(checks.map(({ name, result }) => [name, result]));
}

const allPassed = {
  restore: "passed",
  content: "passed",
  indexes: "passed",
  checksums: "passed",
  repository: "passed",
};

test("a backup that is whole passes every check, up to the restore point", async () => {
  const report = await verify({ database_oid: oid, login });
  expect(report).toMatchObject({ state: "succeeded", error: null, done: 1 });
  expect(resultsOf(report), JSON.stringify(report)).toEqual(allPassed);
  const [database] = report.databases;
  expect(database?.manifest).toMatchObject({ tables: 3, rows: 5101, tables_left_out: 0 });
  expect(database?.evidence).toContain(`"${database?.restore_point.name}"`);
  expect(report.versions).toMatchObject({ postgres: expect.stringMatching(/^17/) });
  expect(it.scratchNames()).toEqual([]);
});

test("a queue that is filled and emptied all the time is compared as it was", async () => {
  await run("create table queue (n int)");
  const over = new AbortController();
  const writing = it.asTenant("proj_proved", roles.login, async (client) => {
    for (let n = 0; !over.signal.aborted; n++) {
      await client.query("insert into queue values ($1)", [n]);
      await client.query("delete from queue");
    }
  });
  for (let times = 0; times < 3; times++) {
    const report = await verify({ database_oid: oid, login });
    expect(resultsOf(report), JSON.stringify(report)).toEqual(allPassed);
  }
  over.abort();
  await writing;
  await run("drop table queue");
}, 120_000);

test("a table that somebody holds is left out, and said to be", async () => {
  await it.asTenant("proj_proved", roles.login, async (client) => {
    await client.query("begin; insert into parted values (5)");
    const report = await verify({ database_oid: oid, login });
    await client.query("rollback");
    expect(resultsOf(report)).toEqual(allPassed);
    const [database] = report.databases;
    expect(database?.manifest).toMatchObject({ tables: 2, tables_left_out: 1 });
    const content = database?.checks.find(({ name }) => name === "content");
    expect(content?.detail).toMatch(/Not compared, .*: public\.part_one\.$/);
  });
});

test("the rows of a stopped database are skipped, and all else is checked", async () => {
  const database_oid = await it.oidOf("proj_stopped");
  await it.sql("postgres", "alter database proj_stopped with allow_connections false");
  const report = await verify({ database_oid, login: null });
  expect(resultsOf(report), JSON.stringify(report)).toEqual({ ...allPassed, content: "skipped" });
});

test("a damaged base backup does not pass, and the file is named", async () => {
  const backups = join(host.config.directory, "repository", "backup", "main");
  const bundles = filesIn(backups).filter((file) => /F\/bundle\/\d+$/.test(file));
  const repair = all(bundles.map((file) => turnBits(file)));
  try {
    const report = await verify({ database_oid: oid, login });
    expect(report.state).toBe("succeeded");
    expect(resultsOf(report)).toMatchObject({ restore: "failed", repository: "failed" });
    const [restore, , , , repository] = report.databases[0]?.checks ?? [];
    expect(restore?.detail).toMatch(
      /^The base backup \d{8}-\d{6}F, or one it builds on, is damaged/,
    );
    expect(repository?.detail).toMatch(/invalid checksum '\d{8}-\d{6}F\/bundle\/\d+'/);
    expect(JSON.stringify(report)).not.toContain(host.config.directory);
  } finally {
    repair();
  }
  expect(it.scratchNames()).toEqual([]);
});

test("an index that lacks a row does not pass, and is named", async () => {
  // As a fault of a machine would: what an index is to hold is told to it wrongly.
  const setReady = (isReady: boolean) =>
    it.sql(
      "proj_proved",
      `update pg_index set indisready = ${isReady}
       where indexrelid = 'public."Odd ""name_lower_idx"'::regclass`,
    );
  await setReady(false);
  await run(`insert into "Odd ""name" (t) values ('not in the index')`);
  await setReady(true);
  const report = await verify({ database_oid: oid, login });
  expect(resultsOf(report)).toMatchObject({ restore: "passed", indexes: "failed" });
  const found = report.databases[0]?.checks.find(({ name }) => name === "indexes");
  expect(found?.detail).toContain("lower_idx");
});

test("one that is ended leaves nothing, and is not known any more", async () => {
  const verification_id = randomUUID();
  const databases = [{ database_id: randomUUID(), database_oid: oid, login }];
  await it.report("verification.start", { verification_id, databases });
  await until(
    "a scratch host",
    async () => it.scratchNames(),
    ({ length }) => length > 0,
  );
  await it.report("verification.end", { verification_id });
  expect(it.scratchNames()).toEqual([]);
  const answer = await host.command("verification.status", { verification_id });
  expect(answer.status).toBe(404);
});

test("a host that is killed while it verifies takes none of it over", async () => {
  const verification_id = randomUUID();
  const databases = [{ database_id: randomUUID(), database_oid: oid, login }];
  await it.report("verification.start", { verification_id, databases });
  const state = () => {
    const [name = ""] = it.scratchNames();
    return readIfExists(join(host.config.directory, "scratch", name, "recovery.json")) ?? "";
  };
  await until(
    "a recovery at its target",
    async () => state(),
    (text) => text.includes('"ready"'),
  );
  await host.crash();
  await host.start();
  expect(it.scratchNames()).toEqual([]);
  const answer = await host.command("verification.status", { verification_id });
  expect(answer.status).toBe(404);
});
