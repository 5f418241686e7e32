// What a tenant with a URL can reach: its own database, and nothing else.
import { beforeAll, describe, expect, test } from "vitest";
import { createProject, query, withSql } from "../support/client.ts";
import { system } from "../support/shared-system.ts";

let mine: string;
let theirs: string;

beforeAll(async () => {
  [mine, theirs] = await Promise.all([
    createProject(system).then(({ database }) => database.database_url),
    createProject(system).then(({ database }) => database.database_url),
  ]);
  await query(theirs, "create table secret (word text)");
  await query(theirs, "insert into secret values ('theirs')");
});

/** My login at another database of the host. */
function at(database: string, url = mine): string {
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  return changed.href;
}

const sessionUrl = (url: string) => {
  const changed = new URL(url);
  changed.port = String(system.dev().ports.session);
  return changed.href;
};

describe.each([
  ["transaction", (url: string) => url],
  ["session", sessionUrl],
] as const)("over the %s pooler a tenant", (_, through) => {
  test("cannot enter another tenant's database with its own login", async () => {
    const { pathname } = new URL(theirs);
    const attempt = query(through(at(pathname.slice(1))), "select * from secret");
    await expect(attempt).rejects.toThrow(/permission denied|not allowed|rejected/);
  });

  test("cannot enter with another password", async () => {
    const wrong = new URL(through(theirs));
    wrong.password = new URL(mine).password;
    await expect(query(wrong.href, "select 1")).rejects.toThrow(/password|SASL/);
  });

  test.each(["postgres", "template1", "template0", "miosa_template"])(
    "cannot enter %s",
    async (database) => {
      await expect(query(through(at(database)), "select 1")).rejects.toThrow();
    },
  );

  test("cannot reach the pooler's console", async () => {
    await expect(query(through(at("pgbouncer")), "show databases")).rejects.toThrow();
  });
});

describe("in its own database a tenant", () => {
  test("is its owner and no superuser", async () => {
    const rows = await query(
      mine,
      `select rolsuper, rolcreatedb, rolreplication, rolbypassrls
       from pg_roles where rolname in (current_user, session_user)`,
    );
    for (const row of rows) expect(Object.values(row)).not.toContain(true);
    const owner = "select pg_get_userbyid(datdba) = current_user as is_owner from pg_database";
    expect(await query(mine, `${owner} where datname = current_database()`)).toEqual([
      { is_owner: true },
    ]);
  });

  test.each([
    "create database x",
    "alter system set work_mem = '1GB'",
    "copy (select 1) to program 'id'",
    "copy (select 1) to '/tmp/x'",
    "select pg_read_file('postgresql.conf')",
    "select * from pg_authid",
    "select * from pg_shadow",
    "create extension dblink",
    "create extension postgres_fdw",
    "create extension file_fdw",
    "set session authorization miosa",
    "set role miosa",
    "alter role miosa password 'mine'",
    "alter role current_user superuser",
    "create role x superuser",
    "grant miosa to current_user",
    "grant pg_read_server_files to current_user",
    "select pg_reload_conf()",
    "select pg_promote()",
    "select pg_switch_wal()",
    "select lo_import('/etc/passwd')",
    "create language plpython3u",
  ])("is refused: %s", async (text) => {
    await expect(query(mine, text)).rejects.toThrow();
  });

  test("finds nobody else: no database, no role and no session but its own", async () => {
    const { username, pathname } = new URL(mine);
    const names = async (text: string) => (await query(mine, text)).map(({ name }) => name);
    const databases = "select datname as name from pg_database where not datistemplate order by 1";
    expect(await names(databases)).toEqual(["postgres", pathname.slice(1)].toSorted());
    const roles = "select rolname as name from pg_roles where rolname ~ '^(usr|own)_'";
    expect(await names(roles)).toEqual([username]);
    const sessions =
      "select distinct usename as name from pg_stat_activity where datname is not null";
    const seen = await names(sessions);
    expect(seen.filter((name) => name !== username && name !== "miosa")).toEqual([]);
  });

  test("makes roles of its own, and what they may", async () => {
    await query(mine, "create role reader; create table shown as select 1 as n");
    await query(mine, "grant select on shown to reader; grant reader to current_user");
    await withSql(mine, async (client) => {
      await client.query("begin; set local role reader");
      expect((await client.query("select n from shown")).rows).toEqual([{ n: 1 }]);
      await expect(client.query("insert into shown values (2)")).rejects.toThrow(/permission/);
    });
    await query(mine, "drop owned by reader; drop role reader; drop table shown");
  });

  test("cancels a statement of its own", async () => {
    await withSql(sessionUrl(mine), async (client) => {
      const { rows } = await client.query("select pg_backend_pid() as pid");
      const slow = client.query("select pg_sleep(60)").catch((error) => error.code);
      await query(mine, "select pg_cancel_backend($1)", [rows[0]?.pid]);
      expect(await slow).toBe("57014");
    });
  });

  test("finds no word of a customer among the names that everybody can list", async () => {
    const names = await query(
      mine,
      "select datname as name from pg_database union select rolname from pg_roles",
    );
    expect(names.filter(({ name }) => /smile|dental/i.test(String(name)))).toEqual([]);
  });
});
