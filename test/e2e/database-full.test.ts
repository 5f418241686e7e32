// A database that is full is read and deleted from, and nothing is added: whatever its tenant
// tries, and whatever it prepared while it owned all of it.
import type { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verifierOf } from "../../host/instance/verifier.ts";
import type { DatabaseSpec } from "../../src/contract/instance/spec.ts";
import { until } from "../support/client.ts";
import { openTestDatabases, type TestDatabase } from "../support/databases.ts";

let host: Awaited<ReturnType<typeof openTestDatabases>>;
let one: TestDatabase;
beforeAll(async () => {
  host = await openTestDatabases();
  one = await host.create("proj_full_one");
});
afterAll(() => host?.stop());

const configure = ({ name }: TestDatabase, changes: Partial<DatabaseSpec>) =>
  host.databases.configure(name, { ...host.recordOf(name).spec, ...changes });

async function ask(who: TestDatabase, text: string) {
  const client = await host.connect(who);
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

// While it owns all: functions of its own and of another role's, rules, grants to everybody.
const prepared = `
  create table ledger as select n, 'text' as text from generate_series(1, 100) n;
  create table audited as select n from generate_series(1, 10) n;
  create rule adds as on delete to audited do also insert into ledger values (-1, 'by a rule');
  create view seen as select * from ledger;
  create table shared (n int);
  grant insert, update on shared to public;
  grant create on schema public to public;
  create schema other;
  grant all on schema other to public;
  create role helper;
  grant helper to current_user with set true;
  grant create, usage on schema public to helper;
  create function adds_one() returns void language sql security definer as
    $f$ insert into ledger values (-2, 'by a function') $f$;
  set role helper;
  create table helpers (n int);
  create function adds_another() returns void language sql security definer as
    $f$ insert into public.helpers values (1) $f$;
  reset role;
  select lo_from_bytea(4711, 'large')`;

// Each adds something, or is the way to it.
const attacks = [
  "insert into ledger values (0, 'x')",
  "update ledger set text = repeat('x', 1000)",
  "insert into shared values (1)",
  "create table more (n int)",
  "create table other.more (n int)",
  "create temporary table more (n int)",
  "create unlogged table more (n int)",
  "create schema more",
  "create function more() returns int language sql as 'select 1'",
  "select adds_one()",
  "select adds_another()",
  "delete from audited",
  "select lo_from_bytea(0, 'x')",
  "select lo_put(4711, 0, 'xxxxxxxxxxxxxxxx')",
  "select lo_creat(-1)",
  "select lowrite(lo_open(4711, 131072), 'x')",
  "set role helper",
  "set role pg_database_owner",
  "set session authorization helper",
  "create role more",
  "grant insert on ledger to public; insert into ledger values (0, 'x')",
  "alter function adds_one() owner to helper",
  "alter database proj_full_one owner to usr_proj_full_one",
  "alter role usr_proj_full_one createrole",
  "grant pg_write_all_data to usr_proj_full_one",
  "begin; set local role none; insert into ledger values (0, 'x')",
  "reset role; insert into ledger values (0, 'x')",
  "alter role usr_proj_full_one set role = 'helper'; insert into helpers values (2)",
];

describe("a full database", () => {
  let stayed: Client;
  beforeAll(async () => {
    await ask(one, prepared);
    stayed = await host.connect(one);
    await stayed.query("select 1");
    await configure(one, { is_full: true });
  });
  afterAll(() => stayed?.end());

  test("serves clients that stayed, and is read", async () => {
    expect((await stayed.query("select count(*)::int as n from ledger")).rows).toEqual([
      { n: 100 },
    ]);
    expect(await ask(one, "select count(*)::int as n from seen")).toEqual([{ n: 100 }]);
    expect(await ask(one, "select count(*)::int as n from helpers")).toEqual([{ n: 0 }]);
    const large = "select convert_from(lo_get(4711), 'utf8') as text";
    expect(await ask(one, large)).toEqual([{ text: "large" }]);
    expect(await ask(one, "select current_user as who")).toEqual([{ who: one.login }]);
  });

  test.each(attacks)("takes nothing from: %s", async (attack) => {
    await expect(ask(one, attack)).rejects.toThrow(/denied|must|only|no schema|not permitted/i);
    const sum = `select (select count(*) from ledger) + (select count(*) from shared) +
      (select count(*) from helpers) as n`;
    expect(await ask(one, sum)).toEqual([{ n: "100" }]);
  });

  test("is deleted from, truncated and vacuumed", async () => {
    await ask(one, "delete from ledger where n > 50");
    await ask(one, "delete from seen where n > 40");
    await ask(one, "truncate shared");
    await ask(one, "vacuum full ledger");
    await ask(one, "reindex table ledger");
    await ask(one, "select lo_unlink(4711)");
    expect(await ask(one, "select count(*)::int as n from ledger")).toEqual([{ n: 40 }]);
  });

  test("stays so over a restart, a rotation and when it is said again", async () => {
    await configure(one, { is_full: true });
    await host.databases.restart(one.name);
    const verifier = await verifierOf(one.password, 4096);
    const { logins } = host.recordOf(one.name).spec;
    const login = "usr_full_second";
    await configure(one, { logins: [{ name: login, verifier }, ...logins] });
    for (const who of [one, { ...one, login }]) {
      await expect(ask(who, "insert into ledger values (0, 'x')")).rejects.toThrow(/denied/);
      expect(await ask(who, "select current_user as who")).toEqual([{ who: login }]);
      await ask(who, `delete from ledger where n = ${who === one ? 1 : 2}`);
    }
    await configure(one, { logins });
  });

  test("is all its owner's again once it is not full any more", async () => {
    await configure(one, { is_full: false });
    const owners = `
      select relname as name, pg_get_userbyid(relowner) as who from pg_class
      where relname in ('ledger', 'helpers') union all
      select proname, pg_get_userbyid(proowner) from pg_proc where proname like 'adds%'
      order by name`;
    expect(await ask(one, owners)).toEqual([
      { name: "adds_another", who: "helper" },
      { name: "adds_one", who: one.login },
      { name: "helpers", who: "helper" },
      { name: "ledger", who: one.login },
    ]);
    const works = ["select adds_one()", "select adds_another()", "delete from audited"];
    for (const work of works) await ask(one, work);
    await ask(one, "create role more; create table of_owner (n int)");
    const asHelper = "insert into shared values (1); create table other.more ()";
    await ask(one, `set role helper; ${asHelper}; reset role`);
    await ask(one, "select lo_from_bytea(0, 'x')");
    const roles = "select rolname as name from pg_roles where rolname ~ '^miosa_(owner|spare)'";
    expect(await ask(one, roles)).toEqual([]);
    const added = "select n from ledger where n < 0 order by n";
    expect((await stayed.query(added)).rows).toEqual([{ n: -2 }, { n: -1 }]);
  });

  test("that sleeps is so when it wakes", async () => {
    const { name } = host.keeper.live(one.name).record;
    await host.keeper.sleep(name);
    await configure(one, { is_full: true });
    expect(host.keeper.roster.get(name).server).toBeUndefined();
    await expect(ask(one, "insert into shared values (1)")).rejects.toThrow(/denied/);
    await host.keeper.sleep(name);
    await configure(one, { is_full: false });
    await ask(one, "insert into shared values (1)");
  });
});

describe("a database that grows far beyond its limit", () => {
  test("reads and deletes only, by the host alone; one that grows on is stopped", async () => {
    const two = await host.create("proj_full_growing");
    // Whoever builds its index anew runs the owner's code.
    await ask(
      two,
      `create table big (n int, text text);
       create function grow(n int) returns int language plpgsql as $f$ begin
         insert into public.big select n, repeat(md5(g::text), 30) from generate_series(1, 30000) g;
         return n; end $f$;
       create function trap(n int) returns int language plpgsql immutable as $f$ begin
         if exists (select from public.big) then perform public.grow(n); end if;
         return n; end $f$;
       create table trap (n int);
       create index on trap (public.trap(n));
       insert into trap values (0)`,
    );
    const { data_bytes } = await host.commands["database.measure"]({ database: two.name });
    await configure(two, { storage_bytes_max: data_bytes });
    await ask(two, "select grow(1); select grow(2)");
    const measure = () => host.commands["database.measure"]({ database: two.name });
    const isRefused = () =>
      ask(two, "insert into big values (0)").then(
        () => "served",
        (error) => String(error),
      );
    const refuses = async () => {
      await measure();
      return isRefused();
    };
    await until("the host to hold it", refuses, (said) => said.includes("denied"));
    expect(await ask(two, "select count(*)::int as n from big")).toEqual([{ n: 60_001 }]);
    const grows = async () => {
      await ask(two, "reindex table trap").catch(() => undefined);
      await measure();
      return isRefused();
    };
    await until("the host to stop it", grows, (said) => said.includes("is disabled"));
    const { databases } = await host.commands.inventory({});
    const told = databases.find(({ database }) => database === two.name);
    expect(told).toMatchObject({ state: "failed", detail: expect.stringMatching(/grew on/) });
    const running = async () => host.keeper.live(two.name).server;
    await until("its end", running, (server) => server === undefined);
    await configure(two, { storage_bytes_max: 1024 ** 3 });
    await host.commands["database.start"]({ database: two.name });
    await ask(two, "insert into trap values (0)");
  });
});
