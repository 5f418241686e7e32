// One system from its start to its end, and its next start.
import { execFile } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { call, connected, createProject, query, until, withSql } from "../support/client.ts";
import { operatorQuery, postgresOf } from "../support/operator.ts";
import { processesOf } from "../support/process.ts";
import { system as another } from "../support/shared-system.ts";
import { type OwnSystem, type Program, rootfsDirectory, startSystem } from "../support/system.ts";

const launcher = resolve(import.meta.dirname, "../../local/launch/main.ts");
const programs: Program[] = [
  "launcher",
  "host",
  "worker",
  "workerd",
  "pgbouncer_transaction",
  "pgbouncer_session",
];

let system: OwnSystem;

beforeAll(async () => {
  system = await startSystem();
});

afterAll(() => system?.remove());

test("what comes up is for its owner alone, and says where everything is", async () => {
  expect(statSync(join(system.home, "dev.json")).mode & 0o777).toBe(0o600);
  expect(statSync(system.home).mode & 0o066).toBe(0);
  const { api_url, root_url } = system.dev();
  expect(api_url).toBe(`${root_url}/api/v1`);
  expect((await fetch(`${root_url}/healthz`)).status).toBe(200);
  expect((await fetch(`${root_url}/readyz`)).status).toBe(200);
});

test("nothing that serves runs as root", () => {
  for (const program of programs) {
    expect(statSync(`/proc/${system.pid(program)}`).uid, program).not.toBe(0);
  }
});

test("two systems run side by side and share nothing", async () => {
  const { database } = await createProject(system);
  const theirs = await call(another, "GET", `/databases/${database.id}`);
  expect(theirs.status).toBe(404);
  const { api_key } = system.dev();
  const foreign = await call(another, "GET", "/projects", { key: api_key });
  expect(foreign.status).toBe(401);
});

test("a second start in the same directory is refused and changes nothing", async () => {
  const env = {
    ...process.env,
    MIOSA_HOME: system.home,
    MIOSA_PORT: "1",
    MIOSA_ROOTFS: rootfsDirectory(),
  };
  const second = promisify(execFile)(process.execPath, [launcher], { env });
  await expect(second).rejects.toThrow(/already runs/);
  expect((await call(system, "GET", "/projects")).status).toBe(200);
});

/** A running database: its URLs, and calls about it. */
async function aDatabase() {
  const { database } = await createProject(system);
  const path = `/databases/${database.id}`;
  const credentials = async () => (await call(system, "GET", `${path}/credentials`)).body.data;
  const { database_url: url, database_url_session: sessionUrl } = await credentials();
  const get = async () => (await call(system, "GET", path)).body.data;
  const change = (body: unknown) => call(system, "PATCH", path, { body });
  const post = (verb: string, body: unknown = {}) =>
    call(system, "POST", `${path}/${verb}`, { body });
  const suspended = () => until("It is suspended", get, ({ state }) => state === "suspended", 30);
  const name: string = database.database;
  return { name, url, sessionUrl, credentials, get, change, post, suspended };
}

const hasPostgres = (name: string) => postgresOf(system, name) !== undefined;

const one = (url: string) => query(url, "select 1 as n");

describe("a database that is stopped", () => {
  test("has no process, refuses with words, and answers when start says so", async () => {
    const it = await aDatabase();
    await query(it.url, "create table kept as select 42 as n");
    const session = await connected(it.sessionUrl);
    const { status, body } = await it.post("stop");
    expect([status, body.data.state]).toEqual([200, "stopped"]);
    await expect(session.query("select 1")).rejects.toThrow();
    for (const url of [it.url, it.sessionUrl]) await expect(one(url)).rejects.toThrow(/disabled/);
    expect(hasPostgres(it.name)).toBe(false);
    expect((await it.credentials()).url).toBe(it.url);
    const refused = await it.post("restart");
    expect([refused.status, refused.body.error.code]).toEqual([409, "INVALID_STATE"]);
    expect((await it.post("start")).body.data.state).toBe("running");
    expect(await query(it.url, "select n from kept")).toEqual([{ n: 42 }]);
    expect(await one(it.sessionUrl)).toEqual([{ n: 1 }]);
  });

  test("is given a size, addresses and credentials, which hold when it is started", async () => {
    const it = await aDatabase();
    await it.post("stop");
    const changed = await it.change({ size: "medium", allowed_addresses: ["127.0.0.1"] });
    expect(changed.body.data).toMatchObject({ state: "stopped", size: "medium" });
    const { body } = await it.post("credentials/rotate", { overlap_seconds: 0 });
    await expect(one(body.data.url)).rejects.toThrow(/disabled/);
    expect((await it.post("start")).status).toBe(200);
    expect(await one(body.data.url)).toEqual([{ n: 1 }]);
    await expect(one(it.url)).rejects.toThrow();
  });
});

test("a restart ends every connection, and the database answers after it", async () => {
  const it = await aDatabase();
  const session = await connected(it.sessionUrl);
  const pid = "select pg_backend_pid() as pid";
  const before = (await session.query(pid)).rows;
  expect((await it.post("restart")).body.data.state).toBe("running");
  await expect(session.query(pid)).rejects.toThrow();
  expect(await query(it.sessionUrl, pid)).not.toEqual(before);
});

describe("a suspended database", () => {
  test("has no process; an open connection wakes it with no error, and the API tells", async () => {
    const it = await aDatabase();
    await withSql(it.url, async (client) => {
      await client.query("create table kept as select 42 as n");
      expect((await it.change({ suspend_after_seconds: 5 })).status).toBe(200);
      await it.suspended();
      expect(hasPostgres(it.name)).toBe(false);
      expect((await client.query("select n from kept")).rows).toEqual([{ n: 42 }]);
      await until("GET says that it runs", it.get, ({ state }) => state === "running", 10);
    });
    await it.suspended();
    expect((await it.credentials()).url).toBe(it.url);
    expect(await one(it.url)).toEqual([{ n: 1 }]);
  });

  test("is started, restarted, stopped and given credentials like any other", async () => {
    const it = await aDatabase();
    await it.change({ suspend_after_seconds: 5 });
    for (const verb of ["start", "restart"]) {
      await it.suspended();
      expect((await it.post(verb)).body.data.state).toBe("running");
    }
    await it.suspended();
    const { status, body } = await it.post("credentials/rotate");
    expect(status).toBe(200);
    expect(await one(body.data.url)).toEqual([{ n: 1 }]);
    await it.suspended();
    expect((await it.post("stop")).body.data.state).toBe("stopped");
    await expect(one(body.data.url)).rejects.toThrow(/disabled/);
    expect((await it.get()).state).toBe("stopped");
  });
});

test("allowed addresses refuse all others, and keep no verb from its work", async () => {
  const it = await aDatabase();
  const open = await connected(it.url);
  expect((await it.change({ allowed_addresses: ["203.0.113.0/24"] })).status).toBe(200);
  for (const url of [it.url, it.sessionUrl]) await expect(one(url)).rejects.toThrow(/rejected/);
  expect((await open.query("select 1 as n")).rows).toEqual([{ n: 1 }]);
  await open.end();
  expect((await it.post("restart")).status).toBe(200);
  const { status, body } = await it.post("credentials/rotate");
  expect(status).toBe(200);
  await expect(one(body.data.url)).rejects.toThrow(/rejected/);
  await it.change({ allowed_addresses: ["203.0.113.0/24", "127.0.0.1"] });
  expect(await one(body.data.url)).toEqual([{ n: 1 }]);
  await it.change({ allowed_addresses: [] });
  expect(await one(body.data.database_url_session)).toEqual([{ n: 1 }]);
});

test("a rotation repairs a password a tenant has changed, and ends its old sessions", async () => {
  const it = await aDatabase();
  const session = await connected(it.sessionUrl);
  const login = new URL(it.url).username;
  await session.query(`alter role ${login} password 'my own'`);
  const { status, body } = await it.post("credentials/rotate", { overlap_seconds: 2 });
  expect(status).toBe(200);
  expect(await one(body.data.url)).toEqual([{ n: 1 }]);
  expect((await session.query("select 1 as n")).rows).toEqual([{ n: 1 }]);
  const isOver = () =>
    session.query("select 1").then(
      () => false,
      () => true,
    );
  await until("The old session ends", isOver, (over) => over);
  const text = `select from pg_roles where rolname = '${login}'`;
  const roles = await operatorQuery(system, it.name, text);
  expect(roles).toEqual([]);
});

test("a stop leaves no process; the next start has all data at the same URL", async () => {
  const { database } = await createProject(system);
  await query(database.database_url, "create table kept as select 42 as n");
  const before = system.dev();
  await system.stop();
  expect(existsSync(join(system.home, "dev.json"))).toBe(false);
  expect(processesOf(system.home)).toEqual([]);
  await system.start();
  expect(system.dev()).toMatchObject({ api_key: before.api_key, ports: before.ports });
  expect(await query(database.database_url, "select n from kept")).toEqual([{ n: 42 }]);
  await createProject(system);
});
