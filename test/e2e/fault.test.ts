// kill -9 of parts, two after each other, at random moments of every verb, on the real stack. After
// each two all comes to rest within a minute, what the API says is what is, and no acknowledged row
// is lost. MIOSA_FAULT_KILLS makes it longer, MIOSA_FAULT_SEED repeats its choices.
import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { call, connected, createProject, listAll, query, until } from "../support/client.ts";
import { hostObjects, postgresOf } from "../support/operator.ts";
import { kill } from "../support/process.ts";
import { createRandom } from "../support/source.ts";
import { type OwnSystem, type Program, startSystem } from "../support/system.ts";

const kills = Number(process.env.MIOSA_FAULT_KILLS ?? 20);
const seed = Number(process.env.MIOSA_FAULT_SEED ?? Date.now() % 1_000_000);
/** A program, or the Postgres of the database that is written to. */
type Victim = Program | "postgres";
const programs: Victim[] = [
  "postgres",
  "workerd",
  "host",
  "pgbouncer_transaction",
  "worker",
  "pgbouncer_session",
];
const tenants = 6;
const calmSeconds = 60;
const killMillisecondsMax = 600;
const millisecondsPerKill = 15_000;

const bytes = createRandom(seed);
const number = (below: number) => {
  const [high = 0, low = 0] = bytes(2);
  return (high * 256 + low) % below;
};

let system: OwnSystem;
const ids: string[] = [];
let writer: ReturnType<typeof startWriter>;

beforeAll(async () => {
  system = await startSystem();
  for (let made = 0; made < tenants; made++) {
    ids.push((await createProject(system, { name: `Fault ${made}` })).database.id);
  }
  const { database } = await createProject(system, { name: "Writer" });
  await query(database.database_url, "create table ledger (n int primary key)");
  writer = startWriter(database.database_url);
});

afterAll(() => system?.remove());

/** Inserts one number after another; whoever was told that a row is there finds it later. */
function startWriter(url: string) {
  const acknowledged: number[] = [];
  let isOver = false;
  const run = async () => {
    let client: Client | null = null;
    for (let n = 1; !isOver; n++) {
      try {
        client ??= await connected(url);
        await client.query("insert into ledger values ($1)", [n]);
        acknowledged.push(n);
      } catch {
        // Whether that one is there nobody was told; the next goes by another connection.
        await client?.end().catch(() => undefined);
        client = null;
      }
      await delay(10);
    }
    await client?.end().catch(() => undefined);
  };
  const running = run();
  const stop = async () => {
    isOver = true;
    await running;
  };
  return { url, acknowledged, stop };
}

// What is not answered, because somebody was killed, is nobody's promise.
const ask = (method: string, path: string, body?: unknown) =>
  call(system, method, path, body === undefined ? {} : { body }).catch(() => null);

const verbs: readonly ((id: string) => Promise<unknown>)[] = [
  (id) => ask("POST", `/databases/${id}/stop`),
  (id) => ask("POST", `/databases/${id}/start`),
  (id) => ask("POST", `/databases/${id}/start`),
  (id) => ask("POST", `/databases/${id}/restart`),
  (id) => ask("POST", `/databases/${id}/credentials/rotate`, { overlap_seconds: 0 }),
  (id) => ask("PATCH", `/databases/${id}`, { size: ["small", "medium", "large"][number(3)] }),
  (id) => ask("PATCH", `/databases/${id}`, { suspend_after_seconds: 5 * number(2) }),
  (id) => ask("DELETE", `/databases/${id}?grace_seconds=3600`),
  (id) => ask("POST", `/databases/${id}/undelete`),
  (id) => ask("POST", `/databases/${id}/undelete`),
  () => ask("POST", "/projects", { name: "Passing", data: { postgres: true } }),
];

const isReady = () =>
  fetch(`${system.dev().root_url}/readyz`).then(
    ({ status }) => status === 200,
    () => false,
  );

async function underWay(): Promise<number> {
  const counts = await Promise.all(
    ["pending", "running", "unwinding"].map(async (status) => {
      const { body } = await call(system, "GET", `/operations?status=${status}&limit=1`);
      return Number(body.total);
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

/** One program that was killed, and its process id. */
interface Killed {
  readonly program: Victim;
  readonly pid: number;
}

/** The process of a victim; 0 while its parent starts it again. */
function pidOf(program: Victim): number {
  try {
    if (program !== "postgres") return system.pid(program);
    return postgresOf(system, new URL(writer.url).pathname.slice(1))?.pid ?? 0;
  } catch {
    return 0;
  }
}

async function killAtRandom(program: Victim): Promise<Killed> {
  await delay(number(killMillisecondsMax));
  const pid = await until(`a process of ${program}`, async () => pidOf(program), Boolean);
  kill(pid);
  return { program, pid };
}

/** Who was killed is there again, everything answers, and nothing is under way. */
async function untilCalm(killed: readonly Killed[]): Promise<void> {
  // workerd outlives its parent for a moment, and would answer.
  const isBack = () => killed.every(({ program, pid }) => ![0, pid].includes(pidOf(program)));
  const isCalm = async () => isBack() && (await isReady()) && (await underWay()) === 0;
  await until("calm", () => isCalm().catch(() => false), Boolean, calmSeconds);
}

// A pooler answers the first client after a crash with the failed login it still remembers.
async function untilServed(url: string, name: string): Promise<void> {
  const ask = () => query(url, "select current_database() as name").catch(({ message }) => message);
  const isServed = (rows: unknown) => Array.isArray(rows) && rows[0]?.name === name;
  await until(`an answer of ${name}`, ask, isServed, calmSeconds);
}

/** What the API says of a database is what a client meets. */
async function expectTrue(id: string): Promise<void> {
  const { body } = await call(system, "GET", `/databases/${id}`);
  const { state, database } = body.data;
  expect(["running", "suspended", "stopped", "deleted"]).toContain(state);
  if (state === "running" || state === "suspended") {
    const credentials = await call(system, "GET", `/databases/${id}/credentials`);
    await untilServed(credentials.body.data.database_url, database);
  } else if (state === "stopped") {
    const credentials = await call(system, "GET", `/databases/${id}/credentials`);
    const url = credentials.body.data.database_url;
    const words = () => query(url, "select 1").then(() => "served", String);
    const isRefused = (said: string) =>
      /disabled|not currently accepting|login rejected|no such database/.test(said);
    await until(`a refusal by ${database}`, words, isRefused, calmSeconds);
  }
}

async function expectNothingLost(): Promise<void> {
  const rows = await query(writer.url, "select n from ledger");
  const there = new Set(rows.map(({ n }) => Number(n)));
  expect(writer.acknowledged.filter((n) => !there.has(n))).toEqual([]);
}

async function expectNoOrphan(): Promise<void> {
  const alive = await listAll(system, "/databases");
  const deleted = await listAll(system, "/databases?state=deleted");
  const names = [...alive, ...deleted].map(({ database }) => database).sort();
  const { host_id } = system.dev();
  const look = async () => {
    const [host] = (await call(system, "GET", "/admin/hosts")).body.data;
    const spares = (await call(system, "GET", `/admin/hosts/${host_id}/spares`)).body.data;
    const wanted = [...names, ...spares.map((one: { database: string }) => one.database)].sort();
    return { counted: host.databases_count, there: hostObjects(system).databases, wanted };
  };
  // Spares are made behind what is asked for.
  await until(
    "As many databases as rows",
    look,
    ({ counted, there, wanted }) =>
      counted === wanted.length && there.toString() === wanted.toString(),
    120,
  );
}

// Each in turn, and with each of the others before or after it.
function pairOf(round: number): readonly [Victim, Victim] {
  const at = round % programs.length;
  const others = programs.filter((_, other) => other !== at);
  const [first = "postgres"] = programs.slice(at);
  return [first, others[Math.floor(round / programs.length) % others.length] ?? "host"];
}

test(
  `${kills} kills (seed ${seed}) lose nothing and leave nothing undone`,
  async () => {
    for (let round = 0; round < kills / 2; round++) {
      const [first, second] = pairOf(round);
      const asked = ids.map((id) => verbs[number(verbs.length)]?.(id));
      const killed = [await killAtRandom(first), await killAtRandom(second)];
      await Promise.all(asked);
      try {
        await untilCalm(killed);
        await Promise.all(ids.map(expectTrue));
      } catch (error) {
        const message = `After kills of ${first} and ${second}, round ${round}, seed ${seed}`;
        throw new Error(`${message}: ${error}`, { cause: error });
      }
    }
    await writer.stop();
    expect(writer.acknowledged.length).toBeGreaterThan(kills);
    await expectNothingLost();
    await expectNoOrphan();
  },
  kills * millisecondsPerKill,
);
