// Dumps of databases whose Postgres is their own: whole, encrypted, made by who sees everything and
// can do nothing, and loaded by who may do what the tenant may.
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadDump } from "../../host/dump/load.ts";
import { socketPort } from "../../host/instance/place.ts";
import { platformSession } from "../../host/instance/session.ts";
import { dumpRole } from "../../host/instance/template.ts";
import { until } from "../support/client.ts";
import { openTestDatabases, type TestDatabase } from "../support/databases.ts";
import { openTestDumps } from "../support/dumps.ts";

let host: Awaited<ReturnType<typeof openTestDatabases>>;
let dumps: ReturnType<typeof openTestDumps>;
let one: TestDatabase;
let client: Client;
/** A dump of what `beforeAll` made. */
let id: string;

const boxOf = ({ name }: TestDatabase) => {
  const { keeper } = host;
  return keeper.roster.box(keeper.live(name).record.name);
};
/** The platform's superuser in a tenant's database. */
const platformIn = (who: TestDatabase) =>
  platformSession(host.fleet, boxOf(who).place, who.name, who.name);
const files = () => readdirSync(dumps.directory);
const load = (dumpId: string, into: TestDatabase) =>
  loadDump({ fleet: host.fleet, store: dumps.store }, dumpId, boxOf(into), {
    database: into.name,
    owner: into.login,
  });

/** Loads a dump into a new database, and looks at it as its tenant. */
async function loaded(dumpId: string, name: string): Promise<Client> {
  const fresh = await host.create(name);
  await load(dumpId, fresh);
  return host.connect(fresh);
}

const content = [
  "create extension pgcrypto",
  "create extension vector",
  "create table ledger as select generate_series(1, 500) as n",
  "create index on ledger (n)",
  "comment on table ledger is 'of five hundred'",
  "create view total as select sum(n)::int as sum from ledger",
  "create view slow as select query from pg_stat_statements",
  "create function one() returns int language sql return 1",
  "revoke execute on function one() from public",
  "create role reader nologin",
  "grant select on ledger to reader",
  "create table secret (n int)",
  "insert into secret values (1), (2)",
  "alter table secret enable row level security, force row level security",
  "create policy readers on secret to reader using (n > 1)",
  "comment on policy readers on secret is 'not all'",
  "select lo_from_bytea(7000, 'a large object')",
  "create materialized view who as select current_user::text as role, session_user::text as login",
];

beforeAll(async () => {
  host = await openTestDatabases();
  dumps = openTestDumps(host);
  one = await host.create("proj_test_one");
  client = await host.connect(one);
  for (const text of content) await client.query(text);
  id = await dumps.make(one.name);
});
afterAll(async () => {
  await client?.end();
  await host?.stop();
});

describe("a dump", () => {
  test("is whole, known and encrypted", async () => {
    const { stored } = await dumps.status(id);
    expect(stored).toMatchObject({
      dump_id: id,
      made_with: expect.stringMatching(/^pg_dump \(PostgreSQL\) 17/),
    });
    expect((await dumps.handlers.dumps({})).dumps).toContainEqual(stored);
    const file = readFileSync(join(dumps.directory, `${id}.dump`), "latin1");
    expect(file).not.toMatch(/PGDMP|ledger/);
  });

  test("begun twice is one, and what is unknown is 404", async () => {
    await dumps.handlers["dump.start"]({ dump_id: id, database: one.name });
    expect((await dumps.status(id)).state).toBe("succeeded");
    await expect(dumps.start("proj_test_nobody")).rejects.toMatchObject({ status: 404 });
    await expect(dumps.status(randomUUID())).rejects.toMatchObject({ code: "unknown_dump" });
  });

  test("of one that sleeps wakes it; one that is stopped is left so", async () => {
    const two = await host.create("proj_test_two");
    const { name } = host.keeper.live(two.name).record;
    await host.keeper.sleep(name);
    await dumps.make(two.name);
    expect(host.keeper.live(two.name).server).toBeDefined();
    await host.keeper.stop(name);
    const { state, error } = await dumps.over(await dumps.start(two.name));
    expect([state, error]).toEqual(["failed", "The database is stopped: start it first."]);
    expect(host.keeper.live(two.name).server).toBeUndefined();
  });

  test("waits for the one before it, and ends when it is asked to", async () => {
    const platform = platformIn(one);
    await client.query("begin; lock table ledger in access exclusive mode");
    const first = await dumps.start(one.name);
    const dumping = "select from pg_stat_activity where application_name = 'pg_dump'";
    const count = async () => (await platform.query(dumping)).length;
    await until("A pg_dump", count, (found) => found === 1);
    // Nobody puts it to sleep meanwhile.
    expect(dumps.awake.isHeld(one.name)).toBe(true);
    const second = await dumps.start(one.name);
    expect(await dumps.status(second)).toMatchObject({ state: "waiting", position: 1 });
    await dumps.handlers["dump.remove"]({ dump_id: second });
    await dumps.handlers["dump.remove"]({ dump_id: first });
    await until("No pg_dump", count, (found) => found === 0);
    expect(dumps.awake.isHeld(one.name)).toBe(false);
    await client.query("rollback");
    await platform.close();
    expect(files().filter((name) => name.startsWith(first))).toEqual([]);
    await expect(dumps.status(first)).rejects.toMatchObject({ status: 404 });
  });
});

test("a host program that is killed leaves no pg_dump behind", async () => {
  const [platform, { limits, ...box }] = [platformIn(one), boxOf(one)];
  const module = JSON.stringify(join(import.meta.dirname, "../../host/dump/program.ts"));
  const order = {
    name: "pg_dump",
    args: ["-h", "/instance/socket", "-U", one.login, "-d", one.name, "-Fc"],
    secrets: { PGPASSWORD: one.password, PGOPTIONS: "-c client_connection_check_interval=1000" },
  };
  const text = `
    const { startProgram } = await import(${module});
    const box = { ...${JSON.stringify(box)}, groups: () => [], limits: ${JSON.stringify(limits)} };
    const { signal } = new AbortController();
    startProgram(box, { ...${JSON.stringify(order)}, signal }).output.resume();`;
  await client.query("begin; lock table ledger in access exclusive mode");
  const program = spawn(process.execPath, ["--input-type=module", "-e", text]);
  const dumping = "select from pg_stat_activity where application_name = 'pg_dump'";
  const count = async () => (await platform.query(dumping)).length;
  await until("A pg_dump", count, (found) => found === 1);
  program.kill("SIGKILL");
  await until("No pg_dump", count, (found) => found === 0);
  await client.query("rollback");
  await platform.close();
});

describe("the role that dumps", () => {
  const password = "only this test knows it";
  let dumper: Client;

  beforeAll(async () => {
    const platform = platformIn(one);
    await platform.query(`alter role ${dumpRole} login password '${password}'`);
    await platform.close();
    const at = { host: boxOf(one).place.socket, port: socketPort, database: one.name };
    dumper = new Client({ ...at, user: dumpRole, password });
    await dumper.connect();
  });
  afterAll(() => dumper?.end());

  test("sees what row security hides from its owner", async () => {
    expect((await client.query("select n from secret")).rows).toEqual([]);
    const { rows } = await dumper.query("select n from secret order by n");
    expect(rows).toEqual([{ n: 1 }, { n: 2 }]);
  });

  test("changes nothing, even where it says that it would", async () => {
    const attempts = [
      ["insert into ledger values (0)", /read-only transaction|permission denied/],
      ["select lo_put(7000, 0, 'x')", /read-only transaction/],
      ["create table mine (n int)", /read-only transaction|permission denied/],
      ["copy ledger to program 'true'", /permission denied/],
      ["select pg_read_file('PG_VERSION')", /permission denied/],
    ] as const;
    for (const [text, why] of attempts) await expect(dumper.query(text)).rejects.toThrow(why);
    await dumper.query("set default_transaction_read_only = off");
    for (const text of ["insert into ledger values (0)", "create table public.mine (n int)"]) {
      await expect(dumper.query(text)).rejects.toThrow(/permission denied/);
    }
  });

  test("is nobody the tenant may become or change", async () => {
    for (const text of [
      `set role ${dumpRole}`,
      `alter role ${dumpRole} password 'mine'`,
      `alter role ${dumpRole} reset default_transaction_read_only`,
      `grant ${dumpRole} to current_user`,
      `drop role ${dumpRole}`,
    ]) {
      await expect(client.query(text)).rejects.toThrow(/permission denied/);
    }
  });

  test("is let in for a dump alone, whatever the tenant set for its database", async () => {
    await client.query(`alter database ${one.name} set statement_timeout = 1`);
    await client.query(`revoke connect on database ${one.name} from ${dumpRole}`);
    await dumps.make(one.name);
    await client.query(`alter database ${one.name} reset statement_timeout`);
    const at = { host: boxOf(one).place.socket, port: socketPort, database: one.name };
    const again = new Client({ ...at, user: dumpRole, password });
    await expect(again.connect()).rejects.toThrow(/not permitted to log in|authentication failed/);
  });
});

describe("a load", () => {
  let copy: Client;
  beforeAll(async () => {
    copy = await loaded(id, "proj_test_copy");
  });
  afterAll(() => copy?.end());

  test("brings back rows, objects, extensions, comments, rights and policies", async () => {
    expect((await copy.query("select * from total")).rows).toEqual([{ sum: 125_250 }]);
    const { rows } = await copy.query(`
      select convert_from(lo_get(7000), 'UTF8') as object,
        obj_description('ledger'::regclass) as comment,
        has_function_privilege('public', 'one()', 'execute') as is_open,
        has_table_privilege('reader', 'ledger', 'select') as may_read,
        (select rolcanlogin from pg_roles where rolname = 'reader') as logs_in,
        (select count(*)::int from pg_extension where extname in ('pgcrypto', 'vector')) as given,
        (select reltuples::int from pg_class where oid = 'ledger'::regclass) as counted`);
    expect(rows).toEqual([
      {
        object: "a large object",
        comment: "of five hundred",
        is_open: false,
        may_read: true,
        logs_in: false,
        given: 2,
        counted: 500,
      },
    ]);
    await copy.query("alter table secret no force row level security");
    expect((await copy.query("select n from secret order by n")).rows).toHaveLength(2);
    await copy.query("grant reader to current_user; grant select on secret to reader");
    const read = "begin; set local role reader; select n from secret";
    const answers = (await copy.query(read)) as unknown as { rows: unknown[] }[];
    expect(answers.at(-1)?.rows).toEqual([{ n: 2 }]);
    await copy.query("rollback");
  });

  test("is the tenant's own from the begin to the end", async () => {
    const login = "usr_proj_test_copy";
    expect((await copy.query("select * from who")).rows).toEqual([{ role: login, login }]);
    const owners = "select distinct tableowner as owner from pg_tables where schemaname = 'public'";
    expect((await copy.query(owners)).rows).toEqual([{ owner: login }]);
  });

  test("refuses an extension nobody may have by its name", async () => {
    const elsewhere = await host.create("proj_test_elsewhere");
    const platform = platformIn(elsewhere);
    await platform.query("create extension postgres_fdw");
    await platform.close();
    const archive = await dumps.make(elsewhere.name);
    const fresh = await host.create("proj_test_fresh");
    const refused = await load(archive, fresh).catch((error: Error) => error.message);
    expect(refused).toMatch(/EXTENSION postgres_fdw/);
    expect(refused).toMatch(/permission denied to create extension "postgres_fdw"/);
    expect(refused).not.toContain(host.fleet.directory);
    expect(readdirSync(boxOf(fresh).place.directory)).not.toContain("load");
  });

  test("makes what has other owners and rights the tenant's own", async () => {
    const source = await host.create("proj_test_owners");
    const platform = platformIn(source);
    for (const role of ["alice", "bob"]) await platform.query(`create role ${role}`);
    for (const text of [
      "create schema app authorization alice",
      "create table app.note (n int primary key, word text)",
      "insert into app.note values (1, 'one'), (2, 'two')",
      "alter table app.note owner to alice",
      "grant select on app.note to bob",
      "create function app.one() returns int language sql return 1",
      "revoke execute on function app.one() from public",
      "alter function app.one() owner to alice",
      "alter default privileges for role alice grant select on tables to bob",
      "comment on extension pg_stat_statements is 'another word'",
    ]) {
      await platform.query(text);
    }
    await platform.close();
    const tenant = await loaded(await dumps.make(source.name), "proj_test_owned");
    const { rows } = await tenant.query(`
      select tableowner = current_user as is_mine,
        has_function_privilege('public', 'app.one()', 'execute') as is_open,
        (select count(*)::int from app.note) as count
      from pg_tables where tablename = 'note'`);
    expect(rows).toEqual([{ is_mine: true, is_open: false, count: 2 }]);
    await tenant.end();
  });

  test("of rows that break a constraint fails by the object's name", async () => {
    const source = await host.create("proj_test_broken");
    const tenant = await host.connect(source);
    for (const text of [
      "create function may(n int) returns bool language sql return (n < 9)",
      "create table note (n int constraint small_only check (may(n)))",
      "insert into note values (1), (2), (3)",
      "create or replace function may(n int) returns bool language sql return (n < 2)",
    ]) {
      await tenant.query(text);
    }
    await tenant.end();
    const archive = await dumps.make(source.name);
    const fresh = await host.create("proj_test_unbroken");
    await expect(load(archive, fresh)).rejects.toThrow(/note.*small_only/);
  });

  test("runs nothing of an archive with more rights than the tenant's", async () => {
    const hostile = await host.create("proj_test_hostile");
    const platform = platformIn(hostile);
    // A superuser's load would find itself giving its rights away.
    await platform.query(`
      set search_path = public;
      create table seen (who text, said text);
      create function take() returns bool language plpgsql as $$ begin
        begin
          execute format('alter role %I superuser', session_user);
          insert into public.seen values (session_user, 'taken');
        exception when insufficient_privilege then
          insert into public.seen values (session_user, sqlerrm);
        end;
        return true;
      end $$;
      create table bait (n int);
      insert into bait values (1);
      create materialized view lure as select public.take() as taken from public.bait`);
    await platform.close();
    const archive = await dumps.make(hostile.name);
    const fresh = await host.create("proj_test_lured");
    await load(archive, fresh);
    const tenant = await host.connect(fresh);
    const supers = "select rolname from pg_roles where rolsuper";
    expect((await tenant.query(supers)).rows).toEqual([{ rolname: "miosa" }]);
    // What it left when it was loaded, beside the row it was dumped with.
    const said = "select said from seen where who = current_user";
    expect((await tenant.query(said)).rows).toEqual([
      { said: expect.stringMatching(/permission denied/) },
    ]);
    await tenant.end();
  });

  test("of what is damaged, cut off or no archive fails in words", async () => {
    const fresh = await host.create("proj_test_damage");
    const chunks: Buffer[] = [];
    for await (const chunk of (await dumps.store.read(id)).content) chunks.push(chunk);
    const whole = Buffer.concat(chunks);
    async function* half() {
      yield whole.subarray(0, whole.length / 2);
    }
    async function* nothing() {
      yield Buffer.alloc(100_000);
    }
    const cut = randomUUID();
    expect((await dumps.receive(cut, half(), 2 ** 30)).made_with).toBe("received");
    await expect(load(cut, fresh)).rejects.toThrow(/pg_restore/);
    const none = dumps.receive(randomUUID(), nothing(), 2 ** 30);
    await expect(none).rejects.toMatchObject({ status: 422, code: "not_an_archive" });
    const large = dumps.receive(randomUUID(), half(), 100);
    await expect(large).rejects.toMatchObject({ status: 413, code: "archive_too_large" });
    await expect(dumps.receive(cut, half(), 2 ** 30)).rejects.toMatchObject({ status: 409 });
    const path = join(dumps.directory, `${cut}.dump`);
    const file = readFileSync(path);
    file.writeUInt8((file.at(200) ?? 0) ^ 1, 200);
    writeFileSync(path, file);
    await expect(load(cut, fresh)).rejects.toThrow(/The stored dump is damaged/);
    await expect(load(randomUUID(), fresh)).rejects.toMatchObject({ status: 404 });
  });

  test("ends when it is asked to, and leaves no program behind", async () => {
    const fresh = await host.create("proj_test_ended");
    const [platform, looking] = [platformIn(fresh), platformIn(fresh)];
    // Holds up the load where it makes its first table.
    await platform.query("begin; lock table pg_class in share mode");
    const ending = new AbortController();
    const target = { database: fresh.name, owner: fresh.login };
    const parts = { fleet: host.fleet, store: dumps.store };
    const loading = loadDump(parts, id, boxOf(fresh), target, ending.signal);
    loading.catch(() => undefined);
    const waiting = `select 1 from pg_stat_activity
      where application_name = 'pg_restore' and wait_event_type = 'Lock'`;
    await until(
      "A wait",
      () => looking.query(waiting),
      (rows) => rows.length > 0,
      60,
    );
    ending.abort(new Error("Enough."));
    await expect(loading).rejects.toThrow("Enough.");
    await platform.query("rollback");
    await Promise.all([platform.close(), looking.close()]);
    expect(readdirSync(boxOf(fresh).place.directory)).not.toContain("load");
  });
});
