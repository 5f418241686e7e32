// Base backups and WAL of databases, as the control plane asks for them.
import { randomUUID } from "node:crypto";
import type { Client } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../support/client.ts";
import { openTestDatabases, type TestDatabase } from "../support/databases.ts";

let host: Awaited<ReturnType<typeof openTestDatabases>>;
let one: TestDatabase;
let client: Client;
beforeAll(async () => {
  host = await openTestDatabases();
  one = await host.create("proj_test_kept");
  client = await host.connect(one);
  await client.query("create table ledger (n int)");
});
afterAll(async () => {
  await client?.end();
  await host?.stop();
});

const list = async () => (await host.commands.base_backups({ database: one.name })).base_backups;

test("a new database has its first base backup without being asked", async () => {
  expect(await list()).toEqual([]);
  await host.databases.backups.look();
  const [first] = await until("the first one", list, (found) => found.length > 0, 60);
  expect(first).toMatchObject({ type: "full", repository: 1 });
  await host.databases.backups.look();
  await host.databases.backups.ensure(one.name);
  expect((await list()).length).toBe(1);
});

test("one that is asked for by an id is made once, and remembered", async () => {
  const backup_id = randomUUID();
  const wanted = { database: one.name, backup_id, type: "incr" as const };
  await client.query("insert into ledger values (1)");
  await host.commands["base_backup.start"](wanted);
  await host.commands["base_backup.start"](wanted);
  await expect(
    host.commands["base_backup.start"]({ ...wanted, backup_id: randomUUID() }),
  ).rejects.toMatchObject({ status: 409, code: "backup_running" });
  const status = () => host.commands["base_backup.status"](wanted);
  const { state, error } = await until("its end", status, (found) => found.state !== "running", 60);
  expect({ state, error }).toEqual({ state: "succeeded", error: null });
  await host.comeAnew();
  expect((await status()).state).toBe("succeeded");
  await host.commands["base_backup.start"](wanted);
  expect((await list()).map(({ type }) => type)).toEqual(["full", "incr"]);
  await expect(
    host.commands["base_backup.status"]({ ...wanted, backup_id: randomUUID() }),
  ).rejects.toMatchObject({ status: 404 });
  await expect(
    host.commands["base_backup.start"]({ ...wanted, database: "proj_test_nobody" }),
  ).rejects.toMatchObject({ status: 404 });
});

test("a restore point is made also of one that sleeps, and found again by its name", async () => {
  await client.query("insert into ledger values (2)");
  await client.end();
  await host.keeper.sleep(host.keeper.live(one.name).record.name);
  const point = { database: one.name, name: "before" };
  const { at } = await host.commands["restore_point.create"](point);
  client = await host.connect(one);
  await client.query("delete from ledger");
  const target = { name: point.name, at };
  const id = await host.databases.recover({ database: one.name, target }, "restore");
  await host.commands["recovery.exchange"]({ recovery_id: id });
  const { rows } = await client.query("select n from ledger order by n");
  expect(rows).toEqual([{ n: 1 }, { n: 2 }]);
});

test("a database goes back to the very end of a base backup", async () => {
  await host.databases.backups.ensure(one.name);
  await host.databases.backUp(one.name, "full");
  const backup = (await list()).at(-1)?.label ?? "";
  await client.query("insert into ledger values (3)");
  const request = { database: one.name, target: { backup } };
  const id = await host.databases.recover(request, "restore");
  expect(await host.databases.over(id)).toMatchObject({ backup_label: backup });
  await host.commands["recovery.exchange"]({ recovery_id: id });
  const { rows } = await client.query("select n from ledger order by n");
  expect(rows).toEqual([{ n: 1 }, { n: 2 }]);
  const gone = { database: one.name, target: { backup: "20200101-000000F" } };
  const lost = await host.databases.over(await host.databases.begin(gone, "restore"));
  expect(lost.error).toMatch(/no base backup 20200101-000000F any more/);
});

test("the window reaches from the first base backup to about now, over all restores", async () => {
  const before = new Date().toISOString();
  const { spans } = await host.commands.recovery_window({ database: one.name });
  expect(spans.length).toBe(1);
  const [first] = await list();
  expect(Date.parse(spans[0]?.from ?? "")).toBe(Date.parse(first?.stopped_at ?? "") + 1000);
  expect((spans[0]?.to ?? "") >= before).toBe(true);
  await expect(
    host.commands.recovery_window({ database: "proj_test_nobody" }),
  ).rejects.toMatchObject({ status: 404 });
});
