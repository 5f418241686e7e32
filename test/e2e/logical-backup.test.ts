// One database backed up on demand: restored, downloaded, and brought into another project.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { type Archive, contentsOf, ended, sendArchive } from "../support/archive.ts";
import { call, connected, createProject, query, until } from "../support/client.ts";
import { system } from "../support/shared-system.ts";

let id: string;
let url: string;
/** A backup of five hundred rows. */
// biome-ignore lint/suspicious/noExplicitAny: whatever JSON came.
let backup: any;

const dumps = () => readdirSync(join(system.home, "host/dump"));

async function backedUp(databaseId: string, body: unknown = {}) {
  const begun = await call(system, "POST", `/databases/${databaseId}/backups`, { body });
  expect(begun.status, begun.text).toBe(201);
  return ended(system, `/databases/${databaseId}/backups/${begun.body.data.id}`);
}

async function restored(path: string, body: unknown) {
  const begun = await call(system, "POST", path, { body });
  expect(begun.status, begun.text).toBe(201);
  return ended(system, `/restores/${(begun.body.data ?? begun.body).id}`);
}

async function download(databaseId: string, backupId: string): Promise<Response> {
  const path = `/databases/${databaseId}/backups/${backupId}/download`;
  const { status, body, text } = await call(system, "POST", path);
  expect(status, text).toBe(200);
  return fetch(body.data.url);
}

const rowsAt = async (where: string) =>
  (await query(where, "select count(*)::int as n, sum(n)::int as sum from ledger"))[0];

beforeAll(async () => {
  const { database } = await createProject(system, { name: "Backed up" });
  [id, url] = [database.id, database.database_url];
  await query(url, "create table ledger as select generate_series(1, 500) as n");
  await query(url, "create view total as select sum(n) from ledger");
  await query(url, "revoke execute on function pg_sleep(float8) from public").catch(() => 0);
  await query(url, "create function one() returns int language sql return 1");
  await query(url, "revoke execute on function one() from public");
  backup = await backedUp(id, { name: "before the drop" });
});

describe("a backup on demand", () => {
  test("is whole, named, and kept for thirty days", async () => {
    expect(backup).toMatchObject({
      type: "logical",
      state: "succeeded",
      name: "before the drop",
      database_id: id,
      made_with: expect.stringMatching(/^pg_dump \(PostgreSQL\) 17/),
      checksum: expect.stringMatching(/^[\da-f]{64}$/),
    });
    const kept = Date.parse(backup.expires_at) - Date.parse(backup.created_at);
    expect(kept).toBe(30 * 86_400_000);
    const { body } = await call(system, "GET", `/databases/${id}/backups`);
    expect(body.data[0]).toEqual(backup);
  });

  test("is not readable on disk", () => {
    const directory = join(system.home, "host/dump");
    const file = readFileSync(join(directory, `${backup.id.slice(4)}.dump`));
    expect(file.toString("latin1")).not.toMatch(/PGDMP|ledger/);
  });

  test("holds also what row security hides from the owner", async () => {
    const other = await createProject(system, { name: "Locked" });
    const { database_url: at, id: otherId } = other.database;
    await query(at, "create table secret as select 7 as n");
    await query(at, "alter table secret enable row level security, force row level security");
    expect(await query(at, "select n from secret")).toEqual([]);
    const made = await backedUp(otherId);
    expect(made, made.error_message).toMatchObject({ state: "succeeded" });
    const response = await download(otherId, made.id);
    const content = contentsOf(system, new Uint8Array(await response.arrayBuffer()));
    expect(content).toMatch(/TABLE DATA public secret/);
  });
});

describe("a restore of it", () => {
  test("in place brings the rows back at the same URL; undo too", async () => {
    await query(url, "drop table ledger cascade");
    const client = await connected(url);
    const body = { backup_id: backup.id, mode: "in_place" };
    const restore = await restored(`/databases/${id}/restores`, body);
    expect(restore).toMatchObject({
      state: "succeeded",
      source: "dump",
      backup_id: backup.id,
      database_id: id,
    });
    const { rows } = await client.query("select count(*)::int as n from ledger");
    expect(rows).toEqual([{ n: 500 }]);
    await client.end();
    const undo = () => call(system, "POST", `/restores/${restore.id}/undo`);
    expect((await undo()).status).toBe(200);
    await expect(rowsAt(url)).rejects.toMatchObject({ code: "42P01" });
    expect((await undo()).status).toBe(200);
    expect(await rowsAt(url)).toEqual({ n: 500, sum: 125_250 });
  });

  test("in the older spelling makes a new database, with the rights of the old one", async () => {
    const restore = await restored(`/databases/${id}/restore`, { backup_id: backup.id });
    expect(restore).toMatchObject({ state: "succeeded", mode: "new", source_database_id: id });
    const path = `/databases/${restore.database_id}/credentials`;
    const { url: at } = (await call(system, "GET", path)).body.data;
    expect(await rowsAt(at)).toEqual({ n: 500, sum: 125_250 });
    const rights = "select has_function_privilege('public', 'one()', 'execute') as may";
    expect(await query(at, rights)).toEqual([{ may: false }]);
  });
});

describe("a download", () => {
  let archive: Archive;

  test("needs the link alone, and pg_restore reads it", async () => {
    const response = await download(id, backup.id);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-length")).toBe(String(backup.size_bytes));
    expect(response.headers.get("content-disposition")).toMatch(/^attachment; filename="bkp_/);
    archive = new Uint8Array(await response.arrayBuffer());
    expect(createHash("sha256").update(archive).digest("hex")).toBe(backup.checksum);
    expect(contentsOf(system, archive)).toMatch(/TABLE DATA public ledger/);
  });

  test("is refused by a changed link, with words", async () => {
    const path = `/databases/${id}/backups/${backup.id}/download`;
    const link = new URL((await call(system, "POST", path)).body.data.url);
    link.searchParams.set("expires", String(Number(link.searchParams.get("expires")) + 60));
    const response = await fetch(link);
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ error: { code: "LINK_NOT_VALID" } });
  });

  test("comes into another project's database, and can be undone there", async () => {
    const { database } = await createProject(system, { name: "Importing" });
    await query(database.database_url, "create table mine as select 1 as n");
    const sent = await sendArchive(system, database.id, archive);
    expect(sent.status, JSON.stringify(sent.body)).toBe(201);
    const restore = await ended(system, `/restores/${sent.body.data.id}`);
    expect(restore).toMatchObject({ state: "succeeded", source: "import", mode: "in_place" });
    expect(await rowsAt(database.database_url)).toEqual({ n: 500, sum: 125_250 });
    const owned = "select tableowner = current_user as is_mine from pg_tables where tablename = $1";
    expect(await query(database.database_url, owned, ["ledger"])).toEqual([{ is_mine: true }]);
    expect((await call(system, "POST", `/restores/${restore.id}/undo`)).status).toBe(200);
    expect(await query(database.database_url, "select n from mine")).toEqual([{ n: 1 }]);
  });

  test("that is no archive is refused and changes nothing", async () => {
    const before = dumps().length;
    const sent = await sendArchive(system, id, new Uint8Array(100_000));
    expect(sent).toMatchObject({ status: 422, body: { error: { code: "NOT_AN_ARCHIVE" } } });
    expect(dumps().length).toBe(before);
    const cut = await sendArchive(system, id, archive.slice(0, archive.length / 2));
    const restore = await ended(system, `/restores/${cut.body.data.id}`);
    expect(restore.state).toBe("failed");
    expect(restore.error_message).toMatch(/pg_restore/);
    expect(await rowsAt(url)).toEqual({ n: 500, sum: 125_250 });
  });
});

test("a damaged archive is not restored, and says so", async () => {
  const damaged = await backedUp(id);
  const path = join(system.home, `host/dump/${damaged.id.slice(4)}.dump`);
  const file = readFileSync(path);
  file.writeUInt8((file.at(200) ?? 0) ^ 1, 200);
  writeFileSync(path, file);
  const body = { backup_id: damaged.id, mode: "in_place" };
  const restore = await restored(`/databases/${id}/restores`, body);
  expect(restore.state).toBe("failed");
  expect(restore.error_message).toMatch(/The stored dump is damaged/);
  expect(await rowsAt(url)).toEqual({ n: 500, sum: 125_250 });
});

test("a neighbour's backup is nobody else's", async () => {
  const { database } = await createProject(system, { name: "Neighbour" });
  const other = `/databases/${database.id}/backups/${backup.id}`;
  for (const [method, path] of [
    ["GET", other],
    ["DELETE", other],
    ["POST", `${other}/download`],
  ] as const) {
    expect((await call(system, method, path)).status).toBe(404);
  }
  const body = { backup_id: backup.id, mode: "in_place" };
  expect((await call(system, "POST", `/databases/${database.id}/restores`, { body })).status).toBe(
    404,
  );
});

test("a host that is killed in the middle leaves no half file, and the backup ends", async () => {
  await query(url, "create table large as select n, repeat(md5(n::text), 30) from ledger l(n)");
  await query(url, "insert into large select n, repeat(md5(random()::text), 200) from ledger l(n)");
  const holder = await connected(url);
  // pg_dump waits for the table while it is locked, with its half of the archive written.
  await holder.query("begin; lock table large in access exclusive mode");
  const begun = await call(system, "POST", `/databases/${id}/backups`, { body: {} });
  const part = `${begun.body.data.id.slice(4)}.part`;
  await until(
    "a half file",
    async () => dumps(),
    (names) => names.includes(part),
  );
  const second = await call(system, "POST", `/databases/${id}/backups`, { body: {} });
  expect(second.status).toBe(409);
  expect(second.body.error.details.operation_id).toBe(begun.body.data.operation_id);
  process.kill(system.pid("host"), "SIGKILL");
  await holder.query("rollback");
  await holder.end();
  const made = await ended(system, `/databases/${id}/backups/${begun.body.data.id}`);
  expect(made.state).toBe("succeeded");
  expect(dumps().filter((name) => name.endsWith(".part"))).toEqual([]);
  const archive = new Uint8Array(await (await download(id, made.id)).arrayBuffer());
  expect(contentsOf(system, archive)).toMatch(/TABLE DATA public large/);
});

test("a deleted backup is gone from the host", async () => {
  const path = `/databases/${id}/backups/${backup.id}`;
  expect((await call(system, "DELETE", path)).status).toBe(204);
  expect((await call(system, "GET", path)).status).toBe(404);
  expect(dumps()).not.toContain(`${backup.id.slice(4)}.dump`);
});

test("a canceled backup ends what dumps, and leaves nothing", async () => {
  const holder = await connected(url);
  await holder.query("begin; lock table large in access exclusive mode");
  const { data } = (await call(system, "POST", `/databases/${id}/backups`, { body: {} })).body;
  const uuid = data.id.slice(4);
  const mine = async () => dumps().filter((name) => name.startsWith(uuid));
  await until("a half file", mine, (names) => names.length > 0);
  const cancel = `/operations/${data.operation_id}/cancel`;
  expect((await call(system, "POST", cancel)).status).toBeLessThan(300);
  const canceled = await ended(system, `/databases/${id}/backups/${data.id}`);
  expect(canceled).toMatchObject({ state: "failed", error_message: "Canceled by request." });
  expect(await mine()).toEqual([]);
  const waiting = "select 1 from pg_stat_activity where application_name = 'pg_dump'";
  await until(
    "no pg_dump",
    () => query(url, waiting),
    (rows) => rows.length === 0,
  );
  await holder.query("rollback");
  await holder.end();
});
