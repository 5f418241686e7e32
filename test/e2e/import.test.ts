// Archives from elsewhere: other owners, other rights, extensions nobody may have here.
import { randomBytes } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import {
  type Archive,
  contentsOf,
  dumpedElsewhere,
  ended,
  sendArchive,
} from "../support/archive.ts";
import { call, createProject, query } from "../support/client.ts";
import { operatorQuery } from "../support/operator.ts";
import { system } from "../support/shared-system.ts";

let id: string;
let url: string;
/** The database whose instance holds the others for a while. */
let elsewhere: string;

/** An archive of what these statements made, in a database of which nothing is left. */
async function archiveOf(...statements: string[]): Promise<Archive> {
  const run = (text: string, inside = "postgres") => operatorQuery(system, elsewhere, text, inside);
  const roles = ["elsewhere_alice", "elsewhere_bob"];
  for (const role of roles) await run(`create role ${role}`);
  await run("create database elsewhere template template0");
  try {
    for (const text of statements) await run(`set search_path = public; ${text}`, "elsewhere");
    return dumpedElsewhere(system, elsewhere, "elsewhere");
  } finally {
    await run("drop database elsewhere with (force)");
    for (const role of roles) await run(`drop role ${role}`);
  }
}

beforeAll(async () => {
  elsewhere = (await createProject(system, { name: "Elsewhere" })).database.database;
  const { database } = await createProject(system, { name: "Moving in" });
  [id, url] = [database.id, database.database_url];
  await query(url, "create table mine as select 1 as n");
});

async function imported(archive: Archive) {
  const sent = await sendArchive(system, id, archive);
  expect(sent.status, JSON.stringify(sent.body)).toBe(201);
  return ended(system, `/restores/${sent.body.data.id}`);
}

test("other owners and rights become the database's own", async () => {
  const archive = await archiveOf(
    "create schema app authorization elsewhere_alice",
    "create table app.note (n int primary key, word text)",
    "insert into app.note values (1, 'one'), (2, 'two')",
    "alter table app.note owner to elsewhere_alice",
    "grant select on app.note to elsewhere_bob",
    "create function app.one() returns int language sql return 1",
    "revoke execute on function app.one() from public",
    "alter function app.one() owner to elsewhere_alice",
    "alter default privileges for role elsewhere_alice grant select on tables to elsewhere_bob",
  );
  expect(contentsOf(system, archive)).toMatch(/ACL app TABLE note elsewhere_alice/);
  const restore = await imported(archive);
  expect(restore).toMatchObject({ state: "succeeded", error_message: null });
  expect(await query(url, "select word from app.note order by n")).toEqual([
    { word: "one" },
    { word: "two" },
  ]);
  expect(
    await query(
      url,
      `select tableowner = current_user as is_mine,
         has_function_privilege('public', 'app.one()', 'execute') as is_open
       from pg_tables where tablename = 'note'`,
    ),
  ).toEqual([{ is_mine: true, is_open: false }]);
  expect((await call(system, "POST", `/restores/${restore.id}/undo`)).status).toBe(200);
});

test("an extension nobody may have fails by its name and changes nothing", async () => {
  const restore = await imported(await archiveOf("create extension postgres_fdw"));
  expect(restore.state).toBe("failed");
  expect(restore.error_message).toMatch(/EXTENSION postgres_fdw/);
  expect(restore.error_message).toMatch(/permission denied to create extension "postgres_fdw"/);
  expect(restore.error_message).not.toContain(system.home);
  expect(await query(url, "select n from mine")).toEqual([{ n: 1 }]);
});

test("rows that break a constraint fail by the object's name", async () => {
  const archive = await archiveOf(
    "create function may(n int) returns bool language sql return (n < 9)",
    "create table note (n int constraint small_only check (may(n)))",
    "insert into note values (1), (2), (3)",
    "create or replace function may(n int) returns bool language sql return (n < 2)",
  );
  const restore = await imported(archive);
  expect(restore.state).toBe("failed");
  expect(restore.error_message).toMatch(/note.*small_only/);
  expect(await query(url, "select n from mine")).toEqual([{ n: 1 }]);
});

test("what is larger than the storage ceiling is refused, packed or not", async () => {
  const limits = { storage_mb: 20, storage_mb_max: 20 };
  const path = `/admin/databases/${id}/limits`;
  expect((await call(system, "PATCH", path, { body: limits })).status).toBe(200);
  const large = new Uint8Array(Buffer.concat([Buffer.from("PGDMP"), randomBytes(21 * 1024 ** 2)]));
  const refused = await sendArchive(system, id, large);
  expect(refused).toMatchObject({ status: 413, body: { error: { code: "ARCHIVE_TOO_LARGE" } } });
  const archive = await archiveOf(
    "create table bomb as select repeat('a', 1000) from generate_series(1, 60000)",
  );
  expect(archive.length).toBeLessThan(10 * 1024 ** 2);
  const restore = await imported(archive);
  expect(restore.state).toBe("failed");
  expect(restore.error_message).toMatch(/storage ceiling of 20971520 bytes/);
  expect(await query(url, "select n from mine")).toEqual([{ n: 1 }]);
  const none = { storage_mb: null, storage_mb_max: null };
  expect((await call(system, "PATCH", path, { body: none })).status).toBe(200);
});
