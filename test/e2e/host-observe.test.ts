// What a host tells of one database, with real Postgres and PgBouncer: its lines and its numbers,
// nobody else's, and no password.
import { readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { Client, type ClientConfig } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type HostCommandInput,
  type HostCommandName,
  type HostCommandReport,
  hostCommands,
} from "../../src/contract/command.ts";
import type { LogLine } from "../../src/contract/log.ts";
import { startTestHost, type TestHost } from "../support/host.ts";

const password = "a password only tests know";
let host: TestHost;
let admin: Client;

async function opened(options: ClientConfig): Promise<Client> {
  const client = new Client(options);
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

const connect = (name: string, options: ClientConfig = {}) =>
  opened({
    host: "127.0.0.1",
    port: host.config.listen.transaction_port,
    database: `proj_${name}`,
    user: `role_${name}`,
    password,
    ...options,
  });

/** Has a tenant say something; what is refused is the result. */
async function say(name: string, text: string, options: ClientConfig = {}): Promise<string> {
  const client = await connect(name, options).catch((error: Error) => error.message);
  if (typeof client === "string") return client;
  const said = client.query(text).then(
    () => "",
    (error: Error) => error.message,
  );
  return said.finally(() => client.end());
}

beforeAll(async () => {
  host = await startTestHost();
  const socket = join(host.config.directory, "run");
  admin = await opened({ ...host.login, host: socket, database: "postgres" });
  for (const name of ["a", "b", "c"]) {
    await admin.query(`create role role_${name} login password '${password}'`);
    await admin.query(`create database proj_${name} template miosa_template`);
    await admin.query(`revoke all on database proj_${name} from public`);
    await admin.query(`grant all on database proj_${name} to role_${name}`);
  }
}, 90_000);

afterAll(async () => {
  await admin?.end();
  await host?.stop();
});

async function command<Name extends HostCommandName>(
  name: Name,
  input: HostCommandInput<Name>,
): Promise<HostCommandReport<Name>> {
  const response = await host.command(name, input);
  const body = (await response.json()) as { report?: unknown; error?: unknown };
  expect(body.error).toBeUndefined();
  return hostCommands[name].report.parse(body.report) as HostCommandReport<Name>;
}

async function linesOf(name: string): Promise<readonly LogLine[]> {
  return (await command("database.logs", { database: `proj_${name}`, lines: 1000 })).lines;
}

const logDirectory = () => join(host.config.directory, "log");

describe("lines", () => {
  test("of errors are the database's own, with level and code", async () => {
    await say("a", "select nobody_has_this");
    const isIt = ({ message }: LogLine) => message.includes("nobody_has_this");
    const found = async () => (await linesOf("a")).filter(isIt);
    await expect.poll(found).toEqual([
      {
        at: expect.any(String),
        source: "postgres",
        level: "error",
        message: 'column "nobody_has_this" does not exist',
        sqlstate: "42703",
      },
    ]);
    expect((await linesOf("b")).some(isIt)).toBe(false);
  });

  test("of the poolers are the database's own", async () => {
    const { session_port: port } = host.config.listen;
    await say("a", "select 1", { port, password: "wrong" });
    const isIt = ({ source, message }: LogLine) =>
      source === "session-pooler" && message.includes("password authentication failed");
    await expect.poll(async () => (await linesOf("a")).some(isIt)).toBe(true);
    expect((await linesOf("b")).some(isIt)).toBe(false);
  });

  test("are not made by a neighbour, whatever it calls things", async () => {
    const moment = "2026-11-23 05:00:00.000 UTC [1]";
    const frame = `${moment} 42P01 (client backend) ${"=".repeat(32)} proj_b ${"=".repeat(64)} `;
    const names = [
      `x\n${moment} LOG C-0x1: proj_b/u@a:1 forged`,
      `x\n${moment} 00000 (client backend) proj_b`,
      `proj_b ${"=".repeat(56)}`,
      "proj_b ERROR:  forged",
      "proj_b/forged",
      "proj_b/u@127.0.0.1:1 closing because: forged",
    ];
    for (const database of names) await say("a", "select 1", { database });
    for (const user of names) await say("a", "select 1", { user, database: "proj_a" });
    for (const application_name of [frame, ...names]) {
      await say("a", "select forged", { application_name });
    }
    const message = `x\n${frame}ERROR:  forged\r${frame}`;
    await say("a", `do $$ begin raise exception '%', '${message}'; end $$`);
    await say("a", `do $$ begin raise log '%', e'the last\\n${frame}ERROR:  forged'; end $$`);
    const last = async () => (await linesOf("a")).some((line) => /the last/.test(line.message));
    await expect.poll(last).toBe(true);
    expect((await linesOf("b")).map((line) => line.message)).toEqual([]);
    for (const line of await linesOf("a")) expect(line.message).not.toMatch(/[\p{Cc}\p{Zl}]/u);
  });

  test("tell of slow statements, however they are sent, without their constants", async () => {
    const client = await connect("a");
    await client.query("select pg_sleep(1.1), 'wordA' as simple");
    await client.query("select pg_sleep(1.2), $1::text as extended", ["wordB"]);
    await client.query({ name: "p", text: "select pg_sleep($1) as prepared", values: [1.3] });
    await client.end();
    const slow = async () =>
      (await linesOf("a")).flatMap(({ message }) => /^slow statement: .*/.exec(message) ?? []);
    await expect.poll(slow, { timeout: 30_000 }).toHaveLength(3);
    const text = (await slow()).join("\n");
    expect(text).toMatch(/1\d\d\d ms: select pg_sleep\(\$1\), \$2 as simple/);
    expect(text).toMatch(/as extended/);
    expect(text).toMatch(/as prepared/);
    expect(text).not.toMatch(/word/);
    expect((await linesOf("b")).map((line) => line.message)).toEqual([]);
  }, 60_000);

  test("come once each to whoever follows, also while logs are set aside", async () => {
    const client = await connect("c");
    const raise = (n: number) =>
      client.query(`do $$ begin raise warning 'number ${n}'; end $$`).then(() => undefined);
    const told: LogLine[] = [];
    let { cursor: after } = await command("database.logs", { database: "proj_c", lines: 1 });
    const follow = async (lines: number) => {
      const found = await command("database.logs", { database: "proj_c", lines, after });
      told.push(...found.lines);
      after = found.cursor;
    };
    const files = () => readdirSync(logDirectory()).filter((name) => /^postgres-.*g$/.test(name));
    const before = files().length;
    let count = 0;
    // Postgres names a log by the second: one set aside in the first second goes on.
    while (files().length < before + 2) {
      for (let n = 0; n < 20; n++) await raise(count++);
      await follow(7);
      await admin.query("select pg_rotate_logfile()");
    }
    const pooler = join(logDirectory(), "pgbouncer-transaction.log");
    let refusals = 0;
    const refuse = async () => {
      refusals += 1;
      await say("c", "select 1", { password: "wrong" });
      return readdirSync(logDirectory());
    };
    await refuse();
    renameSync(pooler, `${pooler}.1`);
    process.kill(host.pid("transaction"), "SIGHUP");
    // It opens the new one when it has something to say.
    await expect.poll(refuse).toContain("pgbouncer-transaction.log");
    await expect
      .poll(
        async () => {
          await follow(1000);
          return told.filter(({ message }) => /^number/.test(message)).length;
        },
        { timeout: 10_000 },
      )
      .toBe(count);
    await client.end();
    const numbers = told.flatMap(({ message }) => /^number (\d+)$/.exec(message)?.[1] ?? []);
    expect(numbers.map(Number)).toEqual([...Array(count).keys()]);
    const refused = told.filter(({ message }) => /password authentication/.test(message));
    expect(refused).toHaveLength(refusals);
  }, 60_000);
});

test("numbers are the database's own: work, errors, connections and size", async () => {
  const client = await connect("b");
  await client.query("create schema mine; create table mine.t as select generate_series(1, 9) n");
  for (let n = 0; n < 20; n++) await client.query("select count(*) from mine.t");
  await client.query("select nobody_has_this").catch(() => undefined);
  const points = async (name: string) =>
    (await command("database.metrics", { database: `proj_${name}`, window_seconds: 3600 })).points;
  const sum = async (name: string, what: "transactions" | "errors" | "blocks_hit") =>
    (await points(name)).reduce((total, point) => total + point[what], 0);
  // A backend tells its numbers once it has been idle for a moment.
  await expect.poll(() => sum("b", "errors"), { timeout: 40_000 }).toBe(1);
  await expect.poll(() => sum("b", "transactions"), { timeout: 40_000 }).toBeGreaterThan(20);
  expect(await sum("b", "blocks_hit")).toBeGreaterThan(20);
  const last = (await points("b")).at(-1);
  expect(last?.client_connections).toBe(1);
  expect(last?.size_bytes).toBeGreaterThan(5_000_000);
  expect(await points("b")).toHaveLength(61);
  await client.end();
}, 90_000);

describe("a password", () => {
  const secrets = [...Array(20).keys()].map((n) => `s3cret_${n}_x`);
  const [one, two, three, four, five, six, seven, eight, nine, ten] = secrets;

  /** Files below a directory in which one of them stands. */
  function filesWith(directory: string): string[] {
    const names = readdirSync(directory, { withFileTypes: true });
    return names.flatMap((entry) => {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) return filesWith(path);
      if (!entry.isFile()) return [];
      return readFileSync(path, "latin1").includes("s3cret") ? [path] : [];
    });
  }

  test("is in no log, in whatever statement it was and however that went", async () => {
    const session = { port: host.config.listen.session_port };
    const statements = [
      `alter role role_c password '${one}'; select pg_sleep(1.1)`,
      `alter role role_b password '${two}'`,
      `alter role role_c pasword '${three}'`,
      `alter role role_c password ${four}`,
      `alter role role_c password '${five}`,
      `alter role ${six} ${six}`,
      `do $$ begin execute 'alter role role_b password ''${seven}'''; end $$`,
      `do $$ begin execute 'alter role role_b pasword ''${eight}'''; end $$`,
      `do $$ begin raise exception 'alter role x password ''${nine}'''; end $$`,
      `do $$ begin execute 'alter role role_c password ''${ten}'''; perform pg_sleep(1.1); end $$`,
    ];
    const client = await connect("c", session);
    for (const text of statements) await client.query(text).catch(() => undefined);
    await client.query("do $$ begin raise warning 'all said'; end $$");
    await client.end();
    const data = join(host.config.directory, "data");
    const isSaid = async () => (await linesOf("c")).some(({ message }) => message === "all said");
    await expect.poll(isSaid).toBe(true);
    const places = () => [
      ...filesWith(logDirectory()),
      ...filesWith(join(data, "pg_stat_tmp")),
      ...readdirSync(data).filter((name) => name === "log"),
    ];
    await expect.poll(places).toEqual([]);
    expect((await linesOf("c")).filter(({ message }) => message.includes("s3cret"))).toEqual([]);
  }, 60_000);

  test("is in no log when its backend is killed over it", async () => {
    await admin.query(`alter role role_c password '${password}'`);
    const client = await connect("c", { port: host.config.listen.session_port });
    const { rows } = await client.query("select pg_backend_pid() as pid");
    const crash = client.query(`alter role role_c password '${one}'; select pg_sleep(30)`);
    const active = "select from pg_stat_activity where pid = $1 and wait_event = 'PgSleep'";
    const asleep = async () => (await admin.query(active, [rows[0].pid])).rowCount;
    await expect.poll(asleep).toBe(1);
    process.kill(rows[0].pid, "SIGKILL");
    await expect(crash).rejects.toThrow();
    const said = () =>
      readdirSync(logDirectory())
        .filter((name) => name.startsWith("postgres-"))
        .map((name) => readFileSync(join(logDirectory(), name), "utf8"))
        .join("\n");
    await expect.poll(said).toMatch(/was terminated by signal 9/);
    await expect.poll(() => host.isHealthy(), { timeout: 20_000 }).toBe(true);
    expect(filesWith(logDirectory())).toEqual([]);
  });
});
