// What recoveries do with damaged and missing files: whatever else does is used, and what could not
// be used is named.
import { closeSync, existsSync, openSync, readdirSync, rmSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Client } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isSegment } from "../../host/wal/segment.ts";
import { until } from "../support/client.ts";
import { openTestDatabases, type TestDatabase } from "../support/databases.ts";
import { moment } from "../support/past.ts";

let host: Awaited<ReturnType<typeof openTestDatabases>>;
beforeAll(async () => {
  host = await openTestDatabases();
});
afterAll(() => host?.stop());

const repository = ({ name }: TestDatabase) => join(host.fleet.directory, "repository", name);

/** Writes over the middle of a file. */
function damage(path: string): void {
  const handle = openSync(path, "r+");
  writeSync(handle, Buffer.alloc(64, 0x55), 0, 64, Math.floor(statSync(path).size / 2));
  closeSync(handle);
}

const filesBelow = (directory: string) =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

const now = async (client: Client): Promise<string> =>
  moment((await client.query("select clock_timestamp()::text as at")).rows[0].at);

const count = async (client: Client) =>
  (await client.query("select count(*)::int as n from ledger")).rows[0].n;

/** A database with a base backup of each kind, and rows before, between and after. */
async function begin(name: string) {
  const one = await host.create(name);
  const client = await host.connect(one);
  await client.query("create table ledger (n int, text text)");
  const add = () =>
    client.query("insert into ledger select g, repeat('x', 300) from generate_series(1, 1000) g");
  await add();
  await host.databases.backUp(name, "full");
  await add();
  await host.databases.backUp(name, "incr");
  await add();
  const at = await now(client);
  await client.query("drop table ledger");
  return { ...one, client, at, add };
}

const begun = ({ name, at }: { name: string; at: string }) =>
  host.databases.begin({ database: name, target: { time: at } }, "restore");

test("a damaged base backup is passed over, named, and soon replaced", async () => {
  const one = await begin("proj_test_bad_backup");
  const { base_backups } = await host.commands.base_backups({ database: one.name });
  const [full, newest] = base_backups;
  const label = newest?.label ?? "";
  for (const path of filesBelow(join(repository(one), "data", "backup", "main", label))) {
    if (!path.includes("backup.manifest")) damage(path);
  }
  const id = await begun(one);
  const report = await host.databases.over(id);
  expect(report).toMatchObject({ state: "ready", backup_label: full?.label, repository: 1 });
  expect(report.passed_over).toMatchObject([{ backup_label: label, is_damage: true }]);
  expect(report.passed_over[0]?.problem).toContain(label);
  await host.commands["recovery.exchange"]({ recovery_id: id });
  expect(await count(one.client)).toBe(3000);
  const problems = async () => (await host.commands["backup.problems"]({})).problems;
  expect(await problems()).toMatchObject([{ database: one.name, kind: "damaged" }]);
  await until(
    "a full one in its place",
    async () => {
      await host.databases.backups.look();
      return problems();
    },
    (found) => found.length === 0,
    60,
  );
  await one.client.end();
});

test("a damaged copy of WAL is fetched again, and a segment that is nowhere is named", async () => {
  const one = await begin("proj_test_bad_wal");
  const kept = () =>
    readdirSync(join(repository(one), "wal"))
      .filter(isSegment)
      .toSorted();
  await until(
    "finished segments to be kept",
    async () => {
      await one.client.query("select pg_logical_emit_message(true, 'fill', repeat('y', 100000))");
      return kept().length;
    },
    (number) => number > 4,
    60,
  );
  const later = { ...one, at: await now(one.client) };
  // The first ones were ended early by base backups, and the last is not finished.
  const first = kept().at(-2) ?? "";
  const archive = join(repository(one), "data", "archive", "main");
  await until(
    "the segment to be kept",
    async () => filesBelow(archive).some((path) => path.includes(first)),
    (isKept) => isKept,
    60,
  );
  damage(join(repository(one), "wal", first));
  const id = await begun(later);
  const report = await host.databases.over(id);
  expect(report).toMatchObject({ state: "ready" });
  expect(report.passed_over[0]?.problem).toContain(first);
  await host.commands["recovery.end"]({ recovery_id: id });
  rmSync(join(repository(one), "wal", first));
  for (const path of filesBelow(archive).filter((each) => each.includes(first))) rmSync(path);
  const lost = await host.databases.over(await begun(later));
  expect(lost.state).toBe("failed");
  expect(lost.error).toContain(first);
  expect(lost.error).toMatch(/Restore to another moment/);
  await one.client.end();
});

test("a base backup that is laid out is begun with, and done without when damaged", async () => {
  const one = await begin("proj_test_laid_out");
  await one.client.query(`
    create table large as select g, repeat(md5(g::text), 30) as text
    from generate_series(1, 60000) g`);
  await host.databases.backUp(one.name, "incr");
  const laid = join(repository(one), "laid");
  const [copy = ""] = readdirSync(laid).filter((name) => !name.endsWith(".json"));
  expect(existsSync(join(laid, copy, "data", "backup_label"))).toBe(true);
  await one.client.query("insert into large values (0, 'last')");
  const at = await now(one.client);
  await one.client.query("drop table large");
  const whole = await host.databases.over(await begun({ ...one, at }));
  expect(whole).toMatchObject({ state: "ready", passed_over: [] });
  rmSync(join(laid, copy, "data", "backup_label"));
  rmSync(join(laid, copy, "data", "global", "pg_control"));
  const without = await begun({ ...one, at });
  expect((await host.databases.over(without)).passed_over.length).toBe(1);
  await host.commands["recovery.exchange"]({ recovery_id: without });
  const { rows } = await one.client.query("select count(*)::int as n from large");
  expect(rows).toEqual([{ n: 60_001 }]);
  await one.client.end();
});
