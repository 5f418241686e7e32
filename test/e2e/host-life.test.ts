// A database's life on a host with real Postgres and PgBouncer: stopped, suspended, limited.
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { Client, type ClientConfig } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type HostCommandInput,
  type HostCommandName,
  type HostCommandReport,
  hostCommands,
} from "../../src/contract/command.ts";
import { type DatabaseSettings, defaultSettings } from "../../src/contract/setting.ts";
import type { Transition } from "../../src/contract/transition.ts";
import { startTestHost, type TestHost } from "../support/host.ts";

const password = "a password only tests know";
type Mode = "transaction" | "session";
const modes = ["transaction", "session"] as const;
const stormClients = 24;
const stormRounds = 20;
const programs = ["postgres", "transaction", "session"] as const;

let host: TestHost;
let admin: Client;

/** A superuser's session, over the socket that only this machine's user reaches. */
async function connectAdmin(): Promise<Client> {
  const { directory } = host.config;
  const client = new Client({ ...host.login, host: `${directory}/run`, database: "postgres" });
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

beforeAll(async () => {
  host = await startTestHost();
  admin = await connectAdmin();
  for (const name of ["a", "b", "c"]) {
    await admin.query(`create role role_${name} login password '${password}'`);
    await admin.query(`create database proj_${name} template miosa_template`);
    await admin.query(`grant all on database proj_${name} to role_${name}`);
  }
}, 90_000);

afterAll(async () => {
  await admin?.end();
  await host?.stop();
});

async function connect(mode: Mode, name = "a", options: ClientConfig = {}): Promise<Client> {
  const client = new Client({
    host: "127.0.0.1",
    port: host.config.listen[`${mode}_port`],
    database: `proj_${name}`,
    user: `role_${name}`,
    password,
    ...options,
  });
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

async function answers(mode: Mode, name = "a", options: ClientConfig = {}): Promise<boolean> {
  const client = await connect(mode, name, options);
  const { rows } = await client.query("select 1 n").finally(() => client.end());
  return rows[0]?.n === 1;
}

async function command<Name extends HostCommandName>(
  name: Name,
  input: HostCommandInput<Name>,
): Promise<HostCommandReport<Name>> {
  const response = await host.command(name, input);
  const body = (await response.json()) as { report?: unknown; error?: unknown };
  expect(body.error).toBeUndefined();
  return hostCommands[name].report.parse(body.report) as HostCommandReport<Name>;
}

/** Gives a database these settings, and the defaults for all others. */
async function configure(database: string, settings: Partial<DatabaseSettings>): Promise<void> {
  await command("database.configure", { database, settings: { ...defaultSettings, ...settings } });
}

async function transitionsOf(database: string): Promise<Transition[]> {
  const { transitions } = await command("report", { after_seq: 0, limit: 1000 });
  return transitions.filter((one) => one.database === database);
}

async function backendsOf(database: string): Promise<number> {
  const text = "select count(*)::int n from pg_stat_activity where datname = $1";
  return (await admin.query(text, [database])).rows[0].n;
}

/** Kills a server and waits until the next one answers. */
async function replace(program: (typeof programs)[number]): Promise<void> {
  const pid = host.pid(program);
  process.kill(pid, "SIGKILL");
  const isBack = async () => (await host.isHealthy()) && host.pid(program) !== pid;
  await expect.poll(isBack, { timeout: 20_000, interval: 20 }).toBe(true);
  if (program === "postgres") admin = await connectAdmin();
}

async function suspended(database: string): Promise<void> {
  await configure(database, { suspend_after_seconds: 5 });
  const last = async () => (await transitionsOf(database)).at(-1)?.to;
  await expect.poll(last, { timeout: 15_000, interval: 50 }).toBe("suspended");
}

describe("a stopped database", () => {
  // A new pooler may end a client that it met before it was told.
  const refused = /is disabled|not currently accepting connections|admin forced disconnect/;

  test("has no backend, ends its clients and refuses new ones at once", async () => {
    const client = await connect("session");
    const ended = new Promise<void>((resolve) => client.on("end", () => resolve()));
    await command("database.stop", { database: "proj_a" });
    await ended;
    expect(await backendsOf("proj_a")).toBe(0);
    for (const mode of modes) await expect(answers(mode)).rejects.toThrow(/is disabled/);
    expect(await answers("transaction", "b")).toBe(true);
  });

  test("stays stopped when it is stopped again, and when its limits change", async () => {
    await command("database.stop", { database: "proj_a" });
    const limits = { pool_size: 3, client_connections_max: 7 };
    await configure("proj_a", { transaction: limits, session: limits });
    for (const mode of modes) await expect(answers(mode)).rejects.toThrow(/is disabled/);
  });

  test.each(programs)("stays stopped when %s is killed", async (program) => {
    await replace(program);
    for (const mode of modes) await expect(answers(mode)).rejects.toThrow(refused);
    const words = () => answers("transaction").catch((error: Error) => error.message);
    await expect.poll(words).toMatch(/is disabled/);
    expect(await backendsOf("proj_a")).toBe(0);
  });

  test("stays stopped when the host program and both poolers are killed", async () => {
    await host.crash();
    for (const mode of modes) process.kill(host.pid(mode), "SIGKILL");
    await host.start();
    for (const mode of modes) await expect(answers(mode)).rejects.toThrow(refused);
    const words = () => answers("transaction").catch((error: Error) => error.message);
    await expect.poll(words).toMatch(/is disabled/);
  });

  test("leaves poolers and neighbours alone while its clients storm in", async () => {
    const pids = modes.map((mode) => host.pid(mode));
    let isOver = false;
    const knock = async (mode: Mode) => {
      while (!isOver) await answers(mode).catch(() => undefined);
    };
    const storm = Array.from({ length: stormClients }, (_, at) =>
      knock(modes[at % 2] ?? "session"),
    );
    for (let round = 0; round < stormRounds; round++) {
      await command("database.start", { database: "proj_a" });
      await command("database.stop", { database: "proj_a" });
    }
    isOver = true;
    await Promise.all(storm);
    expect(modes.map((mode) => host.pid(mode))).toEqual(pids);
    for (const mode of modes) expect(await answers(mode, "b")).toBe(true);
    expect(await backendsOf("proj_a")).toBe(0);
    await command("database.start", { database: "proj_a" });
    // A login that failed in the storm is told to one more client, who has it tried again.
    for (const mode of modes) {
      await expect.poll(() => answers(mode).catch(() => false)).toBe(true);
    }
    await command("database.stop", { database: "proj_a" });
  });

  test("answers on both ports once it is started, also a second time", async () => {
    await command("database.start", { database: "proj_a" });
    expect(await answers("transaction")).toBe(true);
    await command("database.start", { database: "proj_a" });
    expect(await answers("session")).toBe(true);
    expect(await transitionsOf("proj_a")).toEqual([]);
  });

  test("cannot be one that does not exist", async () => {
    for (const name of ["database.stop", "database.start"] as const) {
      const response = await host.command(name, { database: "proj_none" });
      expect(response.status).toBe(404);
      expect(await response.text()).toMatch(/unknown_database/);
    }
  });
});

describe("a suspended database", () => {
  test("has no backend, and its open connection is served with no error", async () => {
    const client = await connect("transaction", "b");
    await client.query("select 1");
    await suspended("proj_b");
    expect(await backendsOf("proj_b")).toBe(0);
    expect((await client.query("select $1::int n", [7])).rows).toEqual([{ n: 7 }]);
    await client.end();
    const transitions = await transitionsOf("proj_b");
    expect(transitions.map(({ to }) => to)).toEqual(["suspended", "woken"]);
  });

  test.each(modes)("wakes for a new connection on the %s port", async (mode) => {
    await suspended("proj_b");
    expect(await answers(mode, "b")).toBe(true);
    const last = async () => (await transitionsOf("proj_b")).at(-1)?.to;
    await expect.poll(last).toBe("woken");
  });

  test.each(programs)("serves the next client with no error when %s is killed", async (program) => {
    await suspended("proj_b");
    await replace(program);
    for (const mode of modes) expect(await answers(mode, "b")).toBe(true);
    const last = async () => (await transitionsOf("proj_b")).at(-1)?.to;
    await expect.poll(last).toBe("woken");
  });

  test("keeps an open client waiting while the host program is down, then serves it", async () => {
    const client = await connect("transaction", "b");
    await suspended("proj_b");
    await host.crash();
    const answer = client.query("select 8 n");
    await host.start();
    expect((await answer).rows).toEqual([{ n: 8 }]);
    await client.end();
  });

  test("stays suspended with no client, whatever is killed and reloaded", async () => {
    await suspended("proj_b");
    const { last_seq } = await command("report", { after_seq: 0, limit: 1 });
    for (const program of programs) await replace(program);
    const limits = { pool_size: 3, client_connections_max: 7 };
    await configure("proj_b", { transaction: limits, session: limits });
    await host.crash();
    await host.start();
    const later = await command("report", { after_seq: last_seq, limit: 1000 });
    expect(later.transitions).toEqual([]);
    expect(await backendsOf("proj_b")).toBe(0);
  });

  test("is stopped and started like any other", async () => {
    await command("database.stop", { database: "proj_b" });
    await expect(answers("transaction", "b")).rejects.toThrow(/is disabled/);
    await command("database.start", { database: "proj_b" });
    expect(await answers("transaction", "b")).toBe(true);
  });

  test("is never one in use: not with short queries, a transaction or a session", async () => {
    await configure("proj_c", { suspend_after_seconds: 5 });
    const client = await connect("transaction", "c");
    await client.query("begin");
    await client.query("select pg_sleep(8)");
    await client.query("commit");
    for (let seconds = 0; seconds < 8; seconds += 2) {
      await client.query("select 1");
      await delay(2000);
    }
    const session = await connect("session", "c");
    await session.query("select pg_sleep(7)");
    expect(await transitionsOf("proj_c")).toEqual([]);
    await Promise.all([client.end(), session.end()]);
    await configure("proj_c", { suspend_after_seconds: 0 });
  }, 60_000);
});

describe("the memory of a backend", () => {
  const greedy = `
    set work_mem = '4GB'; set enable_sort = off; set max_parallel_workers_per_gather = 0;
    select count(*) from
      (select n, md5(n::text) m from generate_series(1, 800000) n group by n, m) g`;

  test("is limited: a greedy query fails, its session and its neighbours live", async () => {
    const [client, neighbour] = [await connect("session", "a"), await connect("session", "c")];
    await expect(client.query(greedy)).rejects.toThrow(/out of memory/);
    expect((await client.query("select 1 n")).rows).toEqual([{ n: 1 }]);
    expect((await neighbour.query("select 1 n")).rows).toEqual([{ n: 1 }]);
    await Promise.all([client.end(), neighbour.end()]);
  });

  test("is limited for what the processes of a query share, too", async () => {
    const client = await connect("session", "a");
    await client.query(`create schema shared;
      create table shared.t as select n, md5(n::text) m from generate_series(1, 1500000) n;
      analyze shared.t`);
    await client.query(`set work_mem = '4GB'; set max_parallel_workers_per_gather = 2;
      set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set enable_mergejoin = off`);
    const join = "select count(*) from shared.t a join shared.t b using (n, m)";
    const { rows } = await client.query(`explain ${join}`);
    expect(rows.map((row) => row["QUERY PLAN"]).join("\n")).toMatch(/Parallel Hash Join/);
    await expect(client.query(join)).rejects.toMatchObject({ code: "53200" });
    expect((await client.query("select 1 n")).rows).toEqual([{ n: 1 }]);
    await client.end();
  });

  async function limitOf(client: Client): Promise<number> {
    const { rows } = await client.query("select pg_backend_pid() pid");
    const text = readFileSync(`/proc/${rows[0].pid}/limits`, "utf8");
    return Number(/^Max data size\s+(\d+)/m.exec(text)?.[1]);
  }

  test("is as large as the database's own number, for old and for new backends", async () => {
    const old = await connect("session", "c");
    expect(await limitOf(old)).toBe(2 ** 26);
    await configure("proj_c", { bytes_per_backend: 2 ** 30 });
    await expect.poll(() => limitOf(old)).toBe(2 ** 30);
    const fresh = await connect("session", "c");
    await expect.poll(() => limitOf(fresh)).toBe(2 ** 30);
    await fresh.query(greedy);
    await Promise.all([old.end(), fresh.end()]);
  });

  test("is given again after Postgres was killed", async () => {
    await replace("postgres");
    const [small, large] = [await connect("session", "a"), await connect("session", "c")];
    await expect.poll(() => limitOf(large)).toBe(2 ** 30);
    expect(await limitOf(small)).toBe(2 ** 26);
    await Promise.all([small.end(), large.end()]);
  });
});

describe("allowed addresses", () => {
  const from = (localAddress: string) => ({ host: "127.0.0.1", localAddress }) as ClientConfig;

  test("let in only who has one, on both ports, until they are taken away", async () => {
    const addresses = ["203.0.113.0/24", "2001:db8::/32"];
    await configure("proj_a", { allowed_addresses: addresses });
    for (const mode of modes) {
      await expect(answers(mode, "a", from("127.0.0.1"))).rejects.toThrow(/rejected/);
      expect(await answers(mode, "c")).toBe(true);
    }
    await configure("proj_a", { allowed_addresses: ["127.1.2.3/8"] });
    for (const mode of modes) expect(await answers(mode)).toBe(true);
    await configure("proj_a", {});
    for (const mode of modes) expect(await answers(mode)).toBe(true);
  });

  test("are in force after everything was killed at once", async () => {
    const addresses = ["203.0.113.0/24"];
    await configure("proj_a", { allowed_addresses: addresses });
    const pids = programs.map(host.pid);
    await host.crash();
    for (const pid of pids) process.kill(pid, "SIGKILL");
    await host.start();
    admin = await connectAdmin();
    for (const mode of modes) await expect(answers(mode)).rejects.toThrow(/rejected/);
  });
});
