// What a host tells of one database's logs, with real Postgres and PgBouncer: its own lines, nobody
// else's, nothing of the platform's, and no password.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cutLog } from "../../host/instance/log.ts";
import { platformSession } from "../../host/instance/session.ts";
import { askInstance } from "../../host/observe/counters.ts";
import { logHandlers } from "../../host/observe/log.ts";
import { createTails } from "../../host/observe/tail.ts";
import type { LogLine, LogRequest } from "../../src/contract/log.ts";
import { openTestDatabases, type TestDatabase } from "../support/databases.ts";

let host: Awaited<ReturnType<typeof openTestDatabases>>;
let one: TestDatabase;
let two: TestDatabase;
/** What a restore put aside. */
let aside: readonly string[] = [];

const logs = (database: string, request: LogRequest) => {
  const { keeper, poolers } = host;
  const poolerLogs = () => ({ transaction: poolers.transaction.log, session: poolers.session.log });
  const handlers = logHandlers({ keeper, poolerLogs, asideOf: () => aside });
  return handlers["database.logs"]({ database, ...request });
};
const linesOf = async ({ name }: TestDatabase): Promise<readonly LogLine[]> =>
  (await logs(name, { lines: 1000 })).lines;
const placeOf = ({ name }: TestDatabase) => {
  const { keeper } = host;
  return keeper.roster.box(keeper.live(name).record.name).place;
};

/** Has a tenant say something; what is refused is the result. */
async function say(who: TestDatabase, text: string, mode: "transaction" | "session" = "session") {
  const client = await host.connect(who, mode).catch((error: Error) => error.message);
  if (typeof client === "string") return client;
  const said = client.query(text).then(
    () => "",
    (error: Error) => error.message,
  );
  return said.finally(() => client.end());
}

beforeAll(async () => {
  host = await openTestDatabases();
  one = await host.create("proj_test_one");
  two = await host.create("proj_test_two");
});
afterAll(() => host?.stop());

describe("lines", () => {
  test("of errors are the database's own, with level and code", async () => {
    await say(one, "select nobody_has_this");
    const isIt = ({ message }: LogLine) => message.includes("nobody_has_this");
    const found = async () => (await linesOf(one)).filter(isIt);
    await expect.poll(found).toEqual([
      {
        at: expect.any(String),
        source: "postgres",
        level: "error",
        message: 'column "nobody_has_this" does not exist',
        sqlstate: "42703",
      },
    ]);
    expect((await linesOf(two)).some(isIt)).toBe(false);
  });

  test("of the poolers are the database's own", async () => {
    await say({ ...one, password: "wrong" }, "select 1");
    const isIt = ({ source, message }: LogLine) =>
      source === "session-pooler" && message.includes("password authentication failed");
    await expect.poll(async () => (await linesOf(one)).some(isIt)).toBe(true);
    expect((await linesOf(two)).some(isIt)).toBe(false);
  });

  test("are not made by a neighbour, whatever it calls things", async () => {
    const before = (await linesOf(two)).length;
    const moment = "2026-11-23 05:00:00.000 UTC [1]";
    const names = [
      `x\n${moment} LOG C-0x1: ${two.name}/u@a:1 forged`,
      `${two.name}/u@127.0.0.1:1 closing because: forged`,
      `x\n${moment} 42P01 (client backend) ${two.login} ERROR:  forged`,
    ];
    for (const name of names) await say({ ...one, name }, "select 1");
    for (const login of names) await say({ ...one, login }, "select 1");
    const raised = names.map((name) => name.replaceAll("'", "''")).join("\r");
    await say(one, `do $$ begin raise exception '%', '${raised}'; end $$`);
    await say(one, "do $$ begin raise log 'the last'; end $$");
    const last = async () => (await linesOf(one)).some(({ message }) => message === "the last");
    await expect.poll(last).toBe(true);
    expect((await linesOf(two)).slice(before)).toEqual([]);
    const forged = (await linesOf(one)).filter(({ message }) => message.includes("forged"));
    expect(forged.map(({ at }) => at.slice(0, 10))).not.toContain("2026-11-23");
    for (const { message } of await linesOf(one)) {
      expect(message).not.toMatch(/[\p{Cc}\p{Zl}]/u);
      expect(message.length).toBeLessThanOrEqual(2000);
    }
  });

  test("are never the platform's own work", async () => {
    const platform = platformSession(host.fleet, placeOf(one), one.name);
    await expect(platform.query("select the_platforms_own")).rejects.toThrow();
    await platform.close();
    expect(readFileSync(placeOf(one).log, "utf8")).toContain("the_platforms_own");
    const said = (await linesOf(one)).map(({ message }) => message);
    expect(said.filter((message) => message.includes("the_platforms_own"))).toEqual([]);
    expect(said.filter((message) => message.includes(host.fleet.directory))).toEqual([]);
  });

  test("tell of slow statements, however they are sent, without their constants", async () => {
    const client = await host.connect(one);
    await client.query("select pg_sleep(1.1), 'wordA' as simple");
    await client.query("select pg_sleep(1.2), $1::text as extended", ["wordB"]);
    await client.query({ name: "p", text: "select pg_sleep($1) as prepared", values: [1.3] });
    await client.end();
    expect((await askInstance(host.fleet, placeOf(one), one.name))?.slow).toBe(3);
    expect((await askInstance(host.fleet, placeOf(one), one.name))?.slow).toBe(0);
    const slow = (await linesOf(one)).filter(({ message }) => /^slow statement: /.test(message));
    expect(slow).toHaveLength(3);
    const text = slow.map(({ message }) => message).join("\n");
    expect(text).toMatch(/1\d\d\d ms: select pg_sleep\(\$1\), \$2 as simple/);
    expect(text).toMatch(/as extended/);
    expect(text).toMatch(/as prepared/);
    expect(text).not.toMatch(/word/);
  });

  test("of a database that is not here are none", async () => {
    const { lines, cursor } = await logs("proj_test_nobody", { lines: 10 });
    expect(lines).toEqual([]);
    expect((await logs("proj_test_nobody", { lines: 10, after: cursor })).lines).toEqual([]);
  });

  test("of one that sleeps are told without waking it", async () => {
    const { name } = host.keeper.live(two.name).record;
    await say(two, "do $$ begin raise warning 'good night'; end $$");
    await host.keeper.sleep(name);
    const found = (await linesOf(two)).map(({ message }) => message);
    expect(found).toContain("good night");
    expect(host.keeper.live(two.name).server).toBeUndefined();
  });
});

describe("who follows", () => {
  let client: Client;
  const told: LogLine[] = [];
  let after: string;

  async function follow(lines: number): Promise<void> {
    const found = await logs(one.name, { lines, after });
    told.push(...found.lines);
    after = found.cursor;
  }
  const raise = async (n: number) => {
    await client.query(`do $$ begin raise warning 'number ${n}'; end $$`);
  };
  const numbers = () => told.flatMap(({ message }) => /^number (\d+)$/.exec(message)?.[1] ?? []);

  beforeAll(async () => {
    client = await host.connect(one);
    after = (await logs(one.name, { lines: 1 })).cursor;
  });
  afterAll(() => client?.end());

  test("is told each line once, also while logs are cut", async () => {
    let count = 0;
    for (let round = 0; round < 4; round++) {
      for (let n = 0; n < 20; n++) await raise(count++);
      await follow(7);
      await say({ ...one, password: "wrong" }, "select 1");
      // The last part of each is kept, and longer than what was not told.
      cutLog(placeOf(one).log, 100, 16_384);
      cutLog(host.poolers.session.log, 100, 16_384);
      await raise(count++);
      const all = async () => {
        await follow(1000);
        return numbers().length;
      };
      await expect.poll(all).toBe(count);
    }
    expect(numbers().map(Number)).toEqual([...Array(count).keys()]);
    const refused = told.filter(({ message }) => /password authentication/.test(message));
    expect(refused).toHaveLength(4);
    expect(after.length).toBeLessThanOrEqual(400);
  });

  test("is told the end of what a restore put aside, and then of what serves", async () => {
    await host.databases.backUp(one.name, "full");
    const { rows } = await client.query("select clock_timestamp()::text as at");
    await raise(1000);
    aside = [await host.databases.restore(one.name, { time: rows[0].at })];
    await raise(1001);
    await follow(1000);
    expect(numbers().slice(-2)).toEqual(["1000", "1001"]);
    const former = aside[0] ?? "";
    aside = [await host.databases.bringBack(one.name, former)];
    await raise(1002);
    await follow(1000);
    expect(numbers().slice(-3)).toEqual(["1000", "1001", "1002"]);
    expect(after.length).toBeLessThanOrEqual(400);
    // Whoever comes now sees them all, the newest last.
    const last = (await linesOf(one)).flatMap(
      ({ message }) => /^number (1\d{3})$/.exec(message) ?? [],
    );
    expect(last.filter((_, at) => at % 2 === 1)).toEqual(["1000", "1001", "1002"]);
  });
});

describe("a password", () => {
  const secrets = [...Array(12).keys()].map((n) => `s3cret_${n}_x`);
  const [zero, first, second, third, fourth, fifth, sixth, seventh, eighth, ninth] = secrets;

  /** Files of an instance in which one of them stands. */
  function filesWith(directory: string): string[] {
    const names = readdirSync(directory, { recursive: true, withFileTypes: true });
    const paths = names
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => `${parentPath}/${name}`)
      // WAL and pages hold what tables hold.
      .filter((path) => !/\/(pg_wal|base|global)\//.test(path));
    return paths.filter((path) => {
      return existsSync(path) && readFileSync(path, "latin1").includes("s3cret");
    });
  }

  test("is in no log, in whatever statement it was and however that went", async () => {
    const client = await host.connect(one, "session");
    const look = createTails();
    look.begin()(placeOf(one).log);
    await client.query("create role other");
    const statements = [
      `alter role other password '${zero}'; select pg_sleep(1.1)`,
      `alter role miosa password '${first}'`,
      `alter role other pasword '${second}'`,
      `alter role other password ${third}`,
      `alter role other password '${fourth}`,
      `alter role ${fifth} ${fifth}`,
      `do $$ begin execute 'alter role miosa password ''${sixth}'''; end $$`,
      `do $$ begin execute 'alter role other pasword ''${seventh}'''; end $$`,
      `do $$ begin raise exception 'alter role x password ''${eighth}'''; end $$`,
      `do $$ begin execute 'alter role other password ''${ninth}'''; perform pg_sleep(1.1); end $$`,
      `set debug_print_parse = on; alter role other password '${zero}'; reset debug_print_parse`,
    ];
    for (const text of statements) await client.query(text).catch(() => undefined);
    await client.query("do $$ begin raise warning 'all said'; end $$");
    await client.end();
    await askInstance(host.fleet, placeOf(one), one.name);
    const said = (await linesOf(one)).map(({ message }) => message);
    expect(said).toContain("all said");
    expect(said.filter((message) => message.includes("s3cret"))).toEqual([]);
    look.begin()(placeOf(one).log);
    expect(filesWith(dirname(placeOf(one).box))).toEqual([]);
  });

  test("is in no log when its backend is killed over it", async () => {
    const client = await host.connect(one, "session");
    const crash = client.query(`alter role other password '${zero}'; select pg_sleep(30)`);
    crash.catch(() => undefined);
    const platform = platformSession(host.fleet, placeOf(one), one.name);
    const asleep = "select pid from pg_stat_activity where wait_event = 'PgSleep'";
    const pids = () => platform.query<{ pid: number }>(asleep);
    await expect.poll(async () => (await pids()).length, { timeout: 20_000 }).toBe(1);
    // A number of its own namespace: a program in the box would have to send it.
    const [row] = await pids();
    const inBox = `copy (select 1) to program 'kill -9 ${row?.pid}'`;
    await platform.query(inBox).catch(() => undefined);
    await expect(crash).rejects.toThrow();
    await platform.close();
    const said = async () => (await linesOf(one)).map(({ message }) => message).join("\n");
    await expect.poll(said).toMatch(/was terminated by signal 9/);
    expect(filesWith(dirname(placeOf(one).box))).toEqual([]);
  });
});
