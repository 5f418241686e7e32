// What a tenant with a URL can reach: its own database, and nothing else.
import { beforeAll, describe, expect, test } from "vitest";
import { createProject, operatorQuery, query, withSql } from "../support/client.ts";
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

  test.each(["postgres", "template1", "template0", "miosa_template", "pgb_auth"])(
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
  test("is an ordinary role", async () => {
    const rows = await query(
      mine,
      `select rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls
       from pg_roles where rolname in (current_user, session_user)`,
    );
    for (const row of rows) expect(Object.values(row)).not.toContain(true);
  });

  test.each([
    "create role x",
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
    "set session authorization postgres",
    "select lo_import('/etc/passwd')",
    "create language plpython3u",
  ])("is refused: %s", async (text) => {
    await expect(query(mine, text)).rejects.toThrow();
  });

  test("cannot become another tenant's role", async () => {
    const { username } = new URL(theirs);
    await expect(query(mine, `set role ${username}`)).rejects.toThrow(/permission denied/);
    await expect(query(mine, `grant ${username} to current_user`)).rejects.toThrow();
  });

  test("cannot end another tenant's session", async () => {
    await withSql(sessionUrl(theirs), async (client) => {
      const { rows } = await client.query("select pg_backend_pid() as pid");
      const attempt = query(mine, "select pg_terminate_backend($1)", [rows[0]?.pid]);
      await expect(attempt).rejects.toThrow(/permission denied/);
      expect((await client.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
    });
  });

  test("does not see another tenant's statements", async () => {
    const { username } = new URL(theirs);
    const rows = await query(
      mine,
      `select query from pg_stat_activity
       where usename = $1 and query <> '<insufficient privilege>'`,
      [username],
    );
    expect(rows.filter((row) => row.query !== null && row.query !== "")).toEqual([]);
  });

  test("finds no word of a customer among the names that everybody can list", async () => {
    const names = await query(
      mine,
      "select datname as name from pg_database union select rolname from pg_roles",
    );
    expect(names.filter(({ name }) => /smile|dental/i.test(String(name)))).toEqual([]);
  });
});

test("nothing of the host is open to everybody", async () => {
  const [row] = await operatorQuery(
    system,
    `select count(*)::int as open from pg_database
     where datallowconn and datconnlimit <> 0
       and has_database_privilege('public', oid, 'connect')`,
  );
  expect(row).toEqual({ open: 0 });
});
