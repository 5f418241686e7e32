// A full database on real Postgres: its tenant reads and deletes, and can bring nothing else back.
import { join } from "node:path";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Query, SqlPool } from "../../src/host/sql.ts";
import { storageSql } from "../../src/host/storage.ts";
import { tenantSql } from "../../src/host/tenant.ts";
import { until } from "../support/client.ts";
import { startTestHost, type TestHost } from "../support/host.ts";

const password = "a password only tests know";
const names = {
  databaseName: `proj_${"a".repeat(20)}`,
  ownerRole: `own_${"a".repeat(20)}`,
  loginRole: `usr_${"b".repeat(20)}`,
};

let host: TestHost;
let admin: Client;
let storage: ReturnType<typeof storageSql>;
let tenants: ReturnType<typeof tenantSql>;

beforeAll(async () => {
  host = await startTestHost();
  const socket = join(host.config.directory, "run");
  admin = new Client({ host: socket, ...host.login, database: "postgres" });
  await admin.connect();
  const query: Query = async (text, values) => {
    const result = await (values === undefined
      ? admin.query(text)
      : admin.query(text, [...values]));
    return (Array.isArray(result) ? result.at(-1) : result).rows;
  };
  const pool: SqlPool = { lend: (use) => use(query), closeIdle: async () => undefined };
  storage = storageSql(pool, async () => host.login);
  tenants = tenantSql(pool, async () => host.login);
  await tenants.createDatabase({ ...names, verifier: await verifierOf(password) });
  await asTenant(`
    create schema app;
    create table app.t as select n, repeat('x', 100) m from generate_series(1, 100000) n;
    create table p (id serial primary key, v text);
    grant select on p to public;
    create view app.v as select * from app.t;
    create materialized view app.mv as select count(*) from app.t;
    create function sneak() returns void security definer language sql
      as $$ insert into public.p (v) values ('sneaked') $$;
    -- Fits the platform's own questions better than the catalog's: it must never be asked.
    create function format(text, name, name) returns text language plpgsql
      as $$ begin raise 'the tenant''s code ran as %', current_user; end $$;
    set role none; create schema mine; create table mine.q (a int)`);
}, 90_000);

afterAll(async () => {
  await admin?.end();
  await host?.stop();
});

/** The verifier Postgres itself makes of a password. */
async function verifierOf(text: string): Promise<string> {
  await admin.query(`create role passing password '${text}'`);
  const { rows } = await admin.query("select rolpassword from pg_authid where rolname = 'passing'");
  await admin.query("drop role passing");
  return rows[0].rolpassword;
}

async function asTenant(text: string) {
  const { session_port: port } = host.config.listen;
  const login = { user: names.loginRole, password, database: names.databaseName };
  const client = new Client({ host: "127.0.0.1", port, ...login });
  client.on("error", () => undefined);
  await client.connect();
  const result = await client.query(text).finally(() => client.end());
  return (Array.isArray(result) ? result.at(-1) : result).rows;
}

const facts = `
  select (select relacl::text from pg_class where relname = 'p') as table_acl,
    (select nspacl::text from pg_namespace where nspname = 'public') as schema_acl,
    (select datacl::text from pg_database where datname = current_database()) as database_acl,
    (select proowner::regrole::text from pg_proc where proname = 'sneak') as definer,
    current_user::text as acting`;

describe("while it is full", () => {
  let before: unknown;
  beforeAll(async () => {
    before = await asTenant(facts);
    await storage.holdWrites(names);
    await storage.holdWrites(names);
  });

  test.each([
    "select count(*) from app.t",
    "select * from app.mv",
    "delete from app.t where n = 1",
  ])("%s works", async (text) => {
    await asTenant(text);
  });

  test.each([
    "insert into p (v) values ('b')",
    "update p set v = 'c'",
    "insert into mine.q values (1)",
    "create table z (a int)",
    "create temp table z (a int)",
    "create schema z",
    "select sneak()",
    "select lo_create(0)",
    "select lo_from_bytea(0, 'x')",
    "refresh materialized view app.mv",
    `set role ${names.ownerRole}`,
    `alter role ${names.loginRole} set role = ${names.ownerRole}`,
    `alter role ${names.loginRole} reset role`,
    `alter table p owner to ${names.loginRole}`,
    "alter function sneak() owner to current_user; insert into p (v) values ('d')",
    "set temp_file_limit = '100GB'",
    `alter database ${names.databaseName} set temp_file_limit = '100GB'`,
  ])("%s is refused", async (text) => {
    await expect(asTenant(text)).rejects.toMatchObject({ code: "42501" });
  });

  test("nothing the tenant grants itself helps", async () => {
    await asTenant("grant insert on p to public; grant all on schema public to public");
    await expect(asTenant("insert into p (v) values ('e')")).rejects.toThrow(/permission denied/);
    await asTenant("set role none").catch(() => undefined);
    expect(await asTenant("select current_user::text as name")).toEqual([
      { name: names.ownerRole.replace("own_", "ro_") },
    ]);
  });

  test("what was deleted is given back to the disk", async () => {
    await asTenant("delete from app.t where n > 1000");
    const size = async () => {
      await storage.compact(names);
      return Number((await asTenant("select pg_relation_size('app.t') as bytes"))[0].bytes);
    };
    // Postgres counts deleted rows some seconds later.
    await until("a small table", size, (bytes) => bytes < 1024 * 1024, 40);
  });

  test("is all as before once there is room again", async () => {
    await storage.releaseWrites(names);
    await storage.releaseWrites(names);
    expect(await asTenant(facts)).toEqual(before);
    await asTenant("insert into p (v) values ('f'); select sneak(); select lo_create(0)");
    await asTenant("create table z (a int); create temp table y (a int)");
    await asTenant("insert into mine.q values (1); refresh materialized view app.mv");
    expect(await asTenant("show temp_file_limit")).toEqual([{ temp_file_limit: "256MB" }]);
  });
});

test("a login is dropped while its database is stopped, with what it made itself", async () => {
  const renewed = { ...names, loginRole: `usr_${"c".repeat(20)}` };
  await tenants.createLogin({ ...renewed, verifier: await verifierOf(password) });
  await admin.query(`alter database ${names.databaseName} allow_connections false`);
  await tenants.dropLogin(renewed);
  await tenants.dropLogin(names);
  const { rows } = await admin.query(
    `select datallowconn, datconnlimit from pg_database where datname = '${names.databaseName}'`,
  );
  expect(rows).toEqual([{ datallowconn: false, datconnlimit: -1 }]);
  await admin.query(`alter database ${names.databaseName} allow_connections true`);
});

test("one that is full is dropped without a trace", async () => {
  await storage.holdWrites(names);
  await tenants.dropDatabase(names);
  const { rows } = await admin.query(
    "select rolname from pg_roles where rolname ~ '^(own|usr|ro)_'",
  );
  expect(rows).toEqual([]);
});
