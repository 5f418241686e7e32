// The host program as a process, with real instances, poolers and repositories.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { neonConfig, Client as ServerlessClient } from "@neondatabase/serverless";
import type { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { Incident } from "../../src/contract/incident.ts";
import { until } from "../support/client.ts";
import {
  type HostProgram,
  type ProgramDatabase,
  prepareHostProgram,
  startHostProgram,
} from "../support/host-program.ts";

const modes = ["transaction", "session"] as const;

describe("a directory of the former design", () => {
  let host: HostProgram;
  beforeAll(async () => {
    host = await prepareHostProgram();
  });
  afterAll(() => host?.stop());

  test("is refused in words, and stays as it is", async () => {
    mkdirSync(join(host.directory, "data"));
    writeFileSync(join(host.directory, "data", "PG_VERSION"), "17\n");
    expect(await host.startInVain()).toMatch(/holds one Postgres for all databases/);
  });
});

let host: HostProgram;
let one: ProgramDatabase;
let two: ProgramDatabase;
beforeAll(async () => {
  host = await startHostProgram();
  one = await host.create("proj_test_one");
  two = await host.create("proj_test_two");
  for (const database of [one, two]) {
    const client = await host.connect(database);
    await client.query("create table kept as select 1 as n");
    await client.end();
  }
});
afterAll(() => host?.stop());

/** What a new client reads of the table that is made first. */
async function read(database: ProgramDatabase, mode: (typeof modes)[number] = "transaction") {
  const client = await host.connect(database, mode);
  const { rows } = await client.query("select n from kept order by n");
  await client.end();
  return rows.map(({ n }) => n);
}

/** One statement over HTTP. */
async function overHttp(url: string, query: string) {
  const response = await fetch(`${host.url}/sql`, {
    method: "POST",
    headers: { "neon-connection-string": url },
    body: JSON.stringify({ query, params: [] }),
  });
  const { rows, code, message } = (await response.json()) as Record<string, unknown>;
  return { status: response.status, rows, code, message };
}

/** Sends a signal to the Postgres of a database. */
function signal(database: ProgramDatabase, name: NodeJS.Signals): void {
  const server = host.server(database);
  if (server === undefined) throw new Error(`${database.name} does not run.`);
  process.kill(server.pid, name);
}

const told = async () => (await host.command("incidents", { after_seq: 0, limit: 1000 })).incidents;

/** Waits until something was told that was not before. */
async function toldNew(before: readonly Incident[], what: Partial<Incident>) {
  const last = before.at(-1)?.seq ?? 0;
  const isMeant = (incident: Incident) =>
    incident.seq > last &&
    Object.entries(what).every(([key, value]) => {
      return incident[key as keyof Incident] === value;
    });
  await until(`${JSON.stringify(what)} to be told`, told, (all) => all.some(isMeant));
}

describe("a host", () => {
  test("says what it is", async () => {
    const registration = JSON.parse(readFileSync(join(host.directory, "host.json"), "utf8"));
    expect(await host.command("status", {})).toMatchObject({
      postgres_version: expect.stringMatching(/^17\./),
      pgbouncer_version: expect.stringMatching(/^1\.26\./),
      pgbackrest_version: expect.stringMatching(/^2\./),
      protocol: 3,
      instances: 2,
      instances_running: 2,
      identity: registration.identity,
    });
    const { databases } = await host.command("inventory", {});
    expect(databases.map(({ database, state }) => [database, state])).toEqual(
      expect.arrayContaining([
        [one.name, "running"],
        [two.name, "running"],
      ]),
    );
  });

  test("serves its databases through both ports", async () => {
    for (const database of [one, two]) {
      for (const mode of modes) expect(await read(database, mode)).toEqual([1]);
    }
  });

  test("serves them over HTTP and WebSocket, and nobody with another's login", async () => {
    const text = "select n from kept";
    expect(await overHttp(host.urlOf(one), text)).toMatchObject({ rows: [{ n: "1" }] });
    const wrong = await overHttp(host.urlOf({ ...one, password: two.password }), text);
    expect(wrong).toMatchObject({ status: 400, code: "28P01" });
    neonConfig.wsProxy = `${new URL(host.url).host}/v2`;
    neonConfig.useSecureWebSocket = false;
    neonConfig.pipelineConnect = false;
    neonConfig.webSocketConstructor = WebSocket;
    for (const mode of modes) {
      const client = new ServerlessClient(host.urlOf(two, mode));
      await client.connect();
      expect((await client.query("select n from kept")).rows).toEqual([{ n: 1 }]);
      await client.end();
    }
    expect((await fetch(`${host.url}/v1?address=postgres`)).status).toBe(404);
  });

  test("lets nobody in from elsewhere than a database allows", async () => {
    const { spec, ...own } = await host.order("proj_test_closed");
    await host.command("database.create", {
      database: own.name,
      spec: { ...spec, allowed_addresses: ["10.0.0.0/8"] },
    });
    await expect(host.connect(own)).rejects.toThrow();
    const { message } = await overHttp(host.urlOf(own), "select 1");
    expect(message).toMatch(/does not allow this address/);
    await host.command("database.remove", { database: own.name });
  });
});

describe("what is killed", () => {
  test("comes again: the host program alone, while clients work on", async () => {
    const client = await host.connect(one);
    const servers = host.servers();
    await host.crash();
    expect((await client.query("select n from kept")).rows).toEqual([{ n: 1 }]);
    await host.start();
    expect(host.servers()).toEqual(servers);
    expect((await client.query("select n from kept")).rows).toEqual([{ n: 1 }]);
    await client.end();
    expect(await read(two)).toEqual([1]);
    await toldNew([], { program: "host", what: "crashed" });
  });

  test.each(modes)("comes again: the pooler for mode %s", async (mode) => {
    const before = await told();
    process.kill(host.pooler(mode), "SIGKILL");
    await until(
      "it to serve",
      () => read(one, mode).catch(() => []),
      (rows) => rows.length > 0,
    );
    await toldNew(before, { program: mode, what: "crashed" });
  });

  test("comes again: an instance, and no other notices", async () => {
    const before = await told();
    const other = await host.connect(two, "session");
    signal(one, "SIGKILL");
    // Who is given a connection that just broke is told so.
    await until(
      "it to serve",
      () => read(one).catch(() => []),
      (rows) => rows.length > 0,
    );
    expect((await other.query("select n from kept")).rows).toEqual([{ n: 1 }]);
    await other.end();
    await toldNew(before, { program: "postgres", what: "crashed", database: one.name });
  });
});

describe("what lives and lets nobody in", () => {
  let waiting: Promise<unknown>;

  test.each(modes)("is sent on: a halted pooler for mode %s", async (mode) => {
    const before = await told();
    process.kill(host.pooler(mode), "SIGSTOP");
    expect(await read(one, mode)).toEqual([1]);
    await toldNew(before, { program: mode, what: "halted" });
  });

  test("is sent on: a halted instance", async () => {
    const before = await told();
    signal(one, "SIGSTOP");
    waiting = read(one, "session");
    await toldNew(before, { program: "postgres", what: "halted", database: one.name });
    expect(await waiting).toEqual([1]);
  });

  test("is started anew: one that was told to stop while a session is open", async () => {
    const before = await told();
    // More than there are connections to it that were left open.
    const open = async () => {
      const client = await host.connect(one, "session");
      await client.query("select 1");
      return client;
    };
    const first = await open();
    signal(one, "SIGTERM");
    const others = await Promise.all([open(), open(), open()]);
    for (const client of [first, ...others]) await client.end().catch(() => undefined);
    await toldNew(before, { program: "postgres", what: "left", database: one.name });
  });
});

describe("an instance that does not start", () => {
  test("is told of with Postgres' words, and serves again once it can", async () => {
    const before = await told();
    const control = join(host.boxOf(two), "data", "global", "pg_control");
    renameSync(control, `${control}.away`);
    signal(two, "SIGKILL");
    const stateOf = async () => {
      const { databases } = await host.command("inventory", {});
      return databases.find(({ database }) => database === two.name);
    };
    const failed = await until("that", stateOf, (found) => found?.state === "failed");
    expect(failed?.detail).toMatch(/could not open file .*pg_control/);
    await toldNew(before, { program: "postgres", what: "crashed", database: two.name });
    expect(await read(one)).toEqual([1]);
    renameSync(`${control}.away`, control);
    await host.command("database.start", { database: two.name });
    expect(await read(two)).toEqual([1]);
    await until("it to be well", stateOf, (found) => found?.state === "running");
  });
});

describe("a database nobody uses", () => {
  let idle: ProgramDatabase;
  const transitions = async () =>
    (await host.command("report", { after_seq: 0, limit: 1000 })).transitions
      .filter(({ database }) => database === idle.name)
      .map(({ to }) => to);

  test("sleeps, is told of, and wakes for who comes, by whatever way", async () => {
    idle = await host.create("proj_test_idle", { suspend_after_seconds: 5 });
    const isAsleep = async () => host.server(idle) === undefined;
    await until("it to sleep", isAsleep, Boolean);
    await until("that to be told", transitions, (all) => all.join() === "suspended");
    const { rows } = await overHttp(host.urlOf(idle), "select 1 as one");
    expect(rows).toEqual([{ one: "1" }]);
    expect(await transitions()).toEqual(["suspended", "woken"]);
    await until("it to sleep again", isAsleep, Boolean);
    const client: Client = await host.connect(idle);
    expect((await client.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
    await client.end();
    await until("that to be told, too", transitions, (all) => all.length === 4);
  });
});

describe("a host that is stopped", () => {
  test("leaves nothing running, and has all of it again when it is started", async () => {
    await host.command("database.stop", { database: two.name });
    await host.end("SIGTERM");
    expect(host.processes()).toEqual([]);
    const before = Date.now();
    await host.start();
    expect(await read(one)).toEqual([1]);
    await expect(read(two)).rejects.toThrow();
    await host.command("database.start", { database: two.name });
    expect(await read(two)).toEqual([1]);
    const since = (await told()).filter(({ at }) => Date.parse(at) >= before);
    expect(since).toEqual([]);
  });
});
