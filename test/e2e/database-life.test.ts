// The life of one database whose Postgres is its own, as the control plane asks for it: made,
// changed, stopped and removed, twice or after a crash in the middle, beside neighbours.
import { randomBytes } from "node:crypto";
import type { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { specSha256 } from "../../host/database/spec.ts";
import { verifierOf } from "../../host/instance/verifier.ts";
import type { DatabaseSpec, Login } from "../../src/contract/instance/spec.ts";
import { until } from "../support/client.ts";
import { openTestDatabases, type TestDatabase } from "../support/databases.ts";

let host: Awaited<ReturnType<typeof openTestDatabases>>;
beforeAll(async () => {
  host = await openTestDatabases();
});
afterAll(() => host?.stop());

const specOf = ({ name }: TestDatabase) => host.recordOf(name).spec;
const configure = (one: TestDatabase, changes: Partial<DatabaseSpec>) =>
  host.databases.configure(one.name, { ...specOf(one), ...changes });

async function rows(client: Client, text: string): Promise<readonly Record<string, unknown>[]> {
  return (await client.query(text)).rows;
}

/** What one client is answered. */
async function ask(one: TestDatabase, text: string) {
  const client = await host.connect(one);
  try {
    return await rows(client, text);
  } finally {
    await client.end();
  }
}

/** A login that is another one of the same database. */
async function another(of: TestDatabase, login: string): Promise<TestDatabase & { own: Login }> {
  const password = randomBytes(24).toString("base64url");
  const own = { name: login, verifier: await verifierOf(password, 4096) };
  return { name: of.name, login, password, own };
}

describe("a rotation", () => {
  let one: TestDatabase;
  let first: Login;
  let second: Awaited<ReturnType<typeof another>>;
  beforeAll(async () => {
    one = await host.create("proj_life_rotated");
    first = specOf(one).logins[0] ?? { name: "", verifier: "" };
    second = await another(one, "usr_life_second");
    await ask(one, "create table mine as select 1 as n");
    await ask(one, `alter role ${one.login} set search_path = app, public`);
    await ask(one, "create schema app; create table app.inner_ (n int)");
    // Connections of the pool have what was set when they were opened.
    await host.databases.restart(one.name);
  });

  test("makes a new login the owner, and a former one acts as it", async () => {
    const client = await host.connect(one);
    await configure(one, { logins: [second.own, first] });
    expect(await rows(client, "insert into inner_ values (1) returning n")).toEqual([{ n: 1 }]);
    await client.end();
    for (const who of [second, one]) {
      await ask(who, `create table of_${who.login} (n int)`);
      const owners = `select distinct tableowner as who from pg_tables
        where schemaname in ('public', 'app')`;
      expect(await ask(who, owners)).toEqual([{ who: second.login }]);
      const seen = "select current_user as who, current_setting('search_path') as path";
      expect(await ask(who, seen)).toEqual([{ who: second.login, path: "app, public" }]);
      await ask(who, `create role r_${who.login}`);
    }
  });

  test("goes back, and forth again, and is said twice", async () => {
    const orders = [
      [first, second.own],
      [first, second.own],
      [second.own, first],
    ];
    for (const logins of orders) {
      await configure(one, { logins });
      for (const who of [second, one]) {
        const seen = await ask(who, "select current_user as who, n from mine");
        expect(seen).toEqual([{ who: logins[0]?.name, n: 1 }]);
      }
    }
  });

  test("takes a former login away with its sessions, and leaves what it made", async () => {
    const [pooled, direct] = [await host.connect(one), await host.connect(one, "session")];
    await rows(direct, "set role none");
    await rows(direct, "create schema if not exists own_of_former").catch(() => undefined);
    await configure(one, { logins: [second.own] });
    await expect(pooled.query("select 1")).rejects.toThrow();
    await expect(direct.query("select 1")).rejects.toThrow();
    await expect(host.connect(one)).rejects.toThrow(/login rejected/);
    expect(await ask(second, "select n from mine")).toEqual([{ n: 1 }]);
    const left = `select rolname from pg_roles where rolname = '${one.login}'`;
    expect(await ask(second, left)).toEqual([]);
  });

  test("of one that sleeps or is stopped is in force at its next start", async () => {
    const third = await another(one, "usr_life_third");
    const { name } = host.keeper.live(one.name).record;
    await host.keeper.sleep(name);
    await configure(one, { logins: [third.own, second.own] });
    expect(host.keeper.roster.get(name).server).toBeUndefined();
    expect(await ask(third, "select n from mine")).toEqual([{ n: 1 }]);
    await host.databases.stop(one.name);
    await configure(one, { logins: [third.own] });
    expect(host.keeper.roster.get(name).server).toBeUndefined();
    await host.databases.start(one.name);
    expect(await ask(third, "select n from mine")).toEqual([{ n: 1 }]);
    await expect(host.connect(second)).rejects.toThrow();
    one = third;
  });

  test("is what changes a password: a tenant's own change lasts until it is noticed", async () => {
    const change = `alter role ${one.login} password 'one of my own, which is long'`;
    await ask(one, change);
    await host.databases.restart(one.name);
    expect(await ask(one, "select n from mine")).toEqual([{ n: 1 }]);
    await ask(one, change);
    // What is measured has written, and is looked at.
    await host.commands["database.measure"]({ database: one.name });
    const works = () => ask(one, "select n from mine").catch(() => undefined);
    // The pool's connections are from before.
    await host.pair.hold(one.name).then((letGo) => letGo());
    expect(await until("the password", works, (rows) => rows !== undefined)).toEqual([{ n: 1 }]);
  });

  test("to a name that a role of the tenant has is refused, and nothing is changed", async () => {
    await ask(one, "create role usr_life_squatter");
    const taken = await another(one, "usr_life_squatter");
    const { spec } = host.recordOf(one.name);
    await expect(configure(one, { logins: [taken.own] })).rejects.toThrow(/already exists/);
    await host.databases.configure(one.name, spec);
    expect(await ask(one, "select n from mine")).toEqual([{ n: 1 }]);
  });
});

describe("another size", () => {
  test("is in force when it is answered, and clients that stayed see no error", async () => {
    const one = await host.create("proj_life_sized");
    const client = await host.connect(one);
    await client.query("create table t (n int)");
    let [longest, isOver] = [0, false];
    const load = (async () => {
      for (let n = 0; !isOver; n++) {
        const begun = performance.now();
        await client.query("insert into t values ($1)", [n]);
        longest = Math.max(longest, performance.now() - begun);
      }
    })();
    const { server } = host.keeper.live(one.name);
    await configure(one, {
      memory_bytes: 1024 ** 3,
      transaction: { pool_size: 8, client_connections_max: 200 },
    });
    expect(host.keeper.live(one.name).server).not.toEqual(server);
    isOver = true;
    await load;
    expect(longest).toBeLessThan(10_000);
    const setting = "select setting from pg_settings where name in ";
    const names = "('shared_buffers', 'max_connections') order by name";
    expect(await rows(client, `${setting} ${names}`)).toEqual([
      { setting: "18" },
      { setting: String((128 * 1024) / 8) },
    ]);
    await client.end();
  });

  test("that needs no restart brings none", async () => {
    const one = await host.create("proj_life_reloaded");
    const { server } = host.keeper.live(one.name);
    await configure(one, { temporary_bytes_max: 64 * 1024 ** 2, processors: 2 });
    expect(host.keeper.live(one.name).server).toEqual(server);
    expect(await ask(one, "show temp_file_limit")).toEqual([{ temp_file_limit: "64MB" }]);
  });

  test("is what one that sleeps has when it wakes", async () => {
    const one = await host.create("proj_life_sized_asleep");
    await host.keeper.sleep(host.keeper.live(one.name).record.name);
    await configure(one, { memory_bytes: 1024 ** 3 });
    expect(host.keeper.live(one.name).server).toBeUndefined();
    expect(await ask(one, "show shared_buffers")).toEqual([{ shared_buffers: "128MB" }]);
  });
});

describe("a database that is stopped", () => {
  test("refuses at once and in words, also after poolers and the host restarted", async () => {
    const one = await host.create("proj_life_stopped");
    const neighbour = await host.create("proj_life_neighbour");
    const [client, other] = [await host.connect(one), await host.connect(neighbour)];
    await host.databases.stop(one.name);
    await host.databases.stop(one.name);
    await expect(client.query("select 1")).rejects.toThrow();
    const refuses = async () => {
      for (const mode of ["transaction", "session"] as const) {
        await expect(host.connect(one, mode)).rejects.toThrow(/is disabled/);
      }
    };
    await refuses();
    await host.create("proj_life_reload");
    await refuses();
    await host.comeAnew();
    await refuses();
    expect(await rows(other, "select 1 as one")).toEqual([{ one: 1 }]);
    await host.restartPoolers();
    await refuses();
    expect(host.keeper.live(one.name).server).toBeUndefined();
    await expect(host.databases.restart(one.name)).rejects.toMatchObject({ code: "stopped" });
    await host.databases.start(one.name);
    await host.databases.start(one.name);
    expect(await ask(one, "select 1 as one")).toEqual([{ one: 1 }]);
    expect(await ask(neighbour, "select 1 as one")).toEqual([{ one: 1 }]);
    await other.end();
  });
});

describe("a database of a name", () => {
  test("is made once, and what is there is given the spec", async () => {
    const one = await host.create("proj_life_twice");
    await ask(one, "create table t as select 7 as n");
    const spec = { ...specOf(one), temporary_bytes_max: 32 * 1024 ** 2 };
    await host.databases.create(one.name, spec);
    expect(await ask(one, "select n from t")).toEqual([{ n: 7 }]);
    expect(await ask(one, "show temp_file_limit")).toEqual([{ temp_file_limit: "32MB" }]);
  });

  test("is removed twice, and made anew with a repository of its own", async () => {
    const one = await host.create("proj_life_again");
    await ask(one, "create table t as select 7 as n");
    await host.databases.backUp(one.name, "full");
    await host.databases.remove(one.name);
    await host.databases.remove(one.name);
    await expect(host.connect(one)).rejects.toThrow();
    const two = await host.create("proj_life_again");
    await expect(ask(two, "select n from t")).rejects.toThrow(/does not exist/);
    await host.databases.backUp(two.name, "full");
    await host.databases.remove(two.name);
  });

  test("that nobody has is 404, and says so", async () => {
    const { spec } = await host.order("proj_life_nowhere");
    const { configure: change, stop, start, restart, branch } = host.databases;
    const works = [
      () => change("proj_life_nowhere", spec),
      () => stop("proj_life_nowhere"),
      () => start("proj_life_nowhere"),
      () => restart("proj_life_nowhere"),
      () => branch("proj_life_nowhere", "proj_life_copy", spec),
    ];
    const unknown = { status: 404, code: "unknown_database" };
    for (const work of works) await expect(work()).rejects.toMatchObject(unknown);
  });
});

describe("what is told", () => {
  let one: TestDatabase;
  beforeAll(async () => {
    one = await host.create("proj_life_told");
  });

  test("of sessions is who is in a database; one is cancelled, and one is ended", async () => {
    const [busy, idle] = [await host.connect(one, "session"), await host.connect(one, "session")];
    // The session port opens nothing before somebody asks for something.
    await idle.query("select 1");
    const slept = busy.query("select pg_sleep(600) as secret").catch((error) => error);
    const list = async () => (await host.commands["session.list"]({ database: one.name })).sessions;
    const sessions = await until("both", list, (found) =>
      found.some(({ query, state }) => state === "active" && query.includes("pg_sleep")),
    );
    expect(sessions.map(({ role }) => role)).toEqual([one.login, one.login]);
    const pid = sessions.find(({ state }) => state === "active")?.pid ?? 0;
    const [cancel, terminate] = (["cancel", "terminate"] as const).map((signal) => async () => {
      const target = { database: one.name, pid, signal };
      return (await host.commands["session.signal"](target)).is_done;
    });
    expect(await cancel?.()).toBe(true);
    expect(String(await slept)).toMatch(/canceling statement/);
    expect(await terminate?.()).toBe(true);
    await until("the end", list, (left) => left.every((session) => session.pid !== pid));
    expect(await terminate?.()).toBe(false);
    await Promise.all([idle.end(), busy.end().catch(() => undefined)]);
  });

  test("of one that sleeps is that nobody is there, and it is not woken", async () => {
    const { name } = host.keeper.live(one.name).record;
    await host.keeper.sleep(name);
    const database = one.name;
    expect(await host.commands["session.list"]({ database })).toEqual({ sessions: [] });
    const signal = { database, pid: 1, signal: "terminate" } as const;
    expect(await host.commands["session.signal"](signal)).toEqual({ is_done: false });
    const { databases } = await host.commands.inventory({});
    const told = databases.find((each) => each.database === database);
    expect(told?.state).toBe("asleep");
    expect(told?.spec_sha256).toBe(specSha256(specOf(one)));
    expect(host.keeper.roster.get(name).server).toBeUndefined();
  });

  test("of a probe is that it answers, or what it says instead", async () => {
    const login = { database: one.name, user: one.login, password: one.password };
    const probe = host.commands["database.probe"];
    for (const by of ["address", "socket"] as const) expect(await probe({ login, by })).toEqual({});
    const wrong = { ...login, password: "not the one that it has" };
    await expect(probe({ login: wrong, by: "address" })).rejects.toMatchObject({
      ...{ status: 409, code: "no_answer" },
      message: expect.stringMatching(/proj_life_told does not answer: .+/),
    });
    await configure(one, { allowed_addresses: ["192.0.2.0/24"] });
    await expect(probe({ login, by: "address" })).rejects.toMatchObject({ code: "no_answer" });
    expect(await probe({ login, by: "socket" })).toEqual({});
  });

  test("of its size is what it takes, measured again when it wrote, and not else", async () => {
    const two = await host.create("proj_life_measured");
    const before = await host.commands["database.measure"]({ database: two.name });
    const many = "select repeat('x', 1000) as x from generate_series(1, 20000)";
    await ask(two, `create table big as ${many}`);
    await ask(two, "checkpoint");
    const after = await host.commands["database.measure"]({ database: two.name });
    expect(after.data_bytes - before.data_bytes).toBeGreaterThan(20_000_000);
    expect(after.wal_bytes).toBeGreaterThan(0);
    await host.storage.look();
    const { name } = host.keeper.live(two.name).record;
    await host.keeper.sleep(name);
    await host.storage.look();
    const asleep = host.storage.of(name);
    await host.storage.look();
    expect(host.storage.of(name)).toEqual(asleep);
    await host.comeAnew();
    expect(host.storage.of(name)).toEqual(asleep);
  });

  test("of deleted rows is given back to the disk, also when it is full", async () => {
    const two = await host.create("proj_life_compacted");
    const many = "select n, repeat(md5(n::text), 30) as x from generate_series(1, 20000) n";
    await ask(two, `create table big as ${many}`);
    await ask(two, "delete from big where n > 10");
    const database = two.name;
    const before = await host.commands["database.measure"]({ database });
    await configure(two, { is_full: true });
    const count = async () => {
      await host.commands["database.compact"]({ database });
      return (await host.commands["database.measure"]({ database })).data_bytes;
    };
    await until("statistics", count, (bytes) => before.data_bytes - bytes > 10_000_000);
    expect(await ask(two, "select count(*)::int as n from big")).toEqual([{ n: 10 }]);
  });
});
