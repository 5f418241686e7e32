// Create → first row over the returned URL, beside what an operator would do by hand and beside
// raw SQL on an open connection, both on a shared cluster: one run, interleaved.
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { callApi, type Data } from "./api.ts";
import { type Installation, install } from "./installation.ts";
import { createByHand } from "./peer.ts";
import type { Progress } from "./progress.ts";
import { line, ms, table } from "./report.ts";
import { type SharedCluster, startSharedCluster } from "./shared-cluster.ts";
import { size } from "./size.ts";
import { median, percentile, rateOf, timed } from "./statistics.ts";

const rounds = size(100, 2);
const rateRounds = size(3, 1);
const ratePerRound = size(64, 4);
const concurrency = 8;
const burstSize = size(40, 3);
const settleMilliseconds = size(1500, 300);

/** What one create told of itself. */
interface Created {
  readonly url: string;
  readonly timing: ReadonlyMap<string, number>;
  readonly databaseId: string;
}

export const parts = { latency: 300, burst: 20, rate: 120 };

/** `npm run bench -- provision` */
export async function run({ part }: Progress): Promise<void> {
  await withSystem(async (bench) => {
    await part("latency", (tell) => latency(bench, tell));
    await part("burst", () => burst(bench));
    await part("rate", (tell) => rate(bench, tell));
  });
}

type Tell = (done: number, of: number) => void;

/** What is measured, and the cluster of its peers with an open connection. */
interface Bench {
  readonly installation: Installation;
  readonly shared: SharedCluster;
  readonly database: pg.Client;
}

// Each part has a system of its own, so that it begins with an empty host.
async function withSystem(measure: (bench: Bench) => Promise<void>): Promise<void> {
  const installation = await install();
  const shared = await startSharedCluster(100);
  const database = new pg.Client({ ...shared.superuser, database: "postgres" });
  await database.connect();
  await measure({ installation, shared, database }).finally(() => database.end());
}

async function latency({ installation, shared, database }: Bench, tell: Tell): Promise<void> {
  const ours: number[] = [];
  const byHand: number[] = [];
  const raw: number[] = [];
  const parts = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    tell(round, rounds);
    await untilSpares(installation);
    ours.push(await measureCreate(installation, parts));
    await untilSpares(installation);
    byHand.push((await timed(() => createByHand(shared, `hand_${round}`))).milliseconds);
    raw.push((await timed(() => createRaw(database, `raw_${round}`))).milliseconds);
  }
  line(`Latency, ${rounds} rounds (ms; ${3 * rounds} databases made)`);
  const row = (name: string, values: number[]) => [
    name,
    ...[50, 95, 99].map((p) => ms(percentile(values, p))),
    `${(percentile(values, 50) / percentile(byHand, 50)).toFixed(2)}×`,
  ];
  table(
    ["", "p50", "p95", "p99", "p50 against the peer"],
    [
      row("API create → first row", ours),
      row("peer: psql create role, createdb, psql select 1", byHand),
      row("raw SQL on an open connection, no row read", raw),
    ],
  );
  line("Where a create's milliseconds go (medians)");
  table(
    ["part", "ms"],
    [...parts].map(([name, values]) => [name, ms(median(values))]),
  );
}

async function rate({ installation, shared }: Bench, tell: Tell): Promise<void> {
  const ours: number[] = [];
  const raw: number[] = [];
  for (let round = 0; round < rateRounds; round++) {
    tell(round, rateRounds);
    ours.push(
      await rateOf(ratePerRound, concurrency, async () => {
        await firstRow((await create(installation)).url);
      }),
    );
    raw.push(await rawRate(shared, `rate_${round}`));
  }
  line(`Sustained rate, concurrency ${concurrency}, ${rateRounds} × ${ratePerRound} databases`);
  table(
    ["", "per second (median)", "share of raw"],
    [
      ["API create → first row", ms(median(ours)), share(ours, raw)],
      ["raw SQL on open connections", ms(median(raw)), "100 %"],
    ],
  );
}

/** So many at once, as when a campaign goes out: each is answered with a URL that works. */
async function burst({ installation }: Bench): Promise<void> {
  await untilSpares(installation);
  const taken: number[] = [];
  const each = async () => {
    const { milliseconds } = await timed(async () => firstRow((await create(installation)).url));
    taken.push(milliseconds);
  };
  await Promise.all(Array.from({ length: burstSize }, each));
  line(`A burst of ${burstSize} creates at once (ms)`);
  table(
    ["p50", "p99", "max"],
    [[...[50, 99].map((p) => ms(percentile(taken, p))), ms(Math.max(...taken))]],
  );
}

async function measureCreate(
  installation: Installation,
  parts?: Map<string, number[]>,
): Promise<number> {
  const made = await timed(() => create(installation));
  const read = await timed(() => firstRow(made.result.url));
  if (parts !== undefined) {
    const note = (name: string, value: number) =>
      parts.set(name, [...(parts.get(name) ?? []), value]);
    const { timing, databaseId } = made.result;
    const steps = await stepsOf(installation, databaseId);
    for (const [name, value] of timing) note(name, value);
    for (const [name, value] of steps) note(`… of drive: step ${name}`, value);
    const inside = [...timing.values()].reduce((sum, value) => sum + value, 0);
    note("HTTP and the rest of the request", made.milliseconds - inside);
    note("client: connect and first row", read.milliseconds);
  }
  return made.milliseconds + read.milliseconds;
}

async function create(installation: Installation): Promise<Created> {
  const { apiUrl, apiKey } = installation;
  const response = await fetch(`${apiUrl}/projects`, {
    method: "POST",
    headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
    body: JSON.stringify({ name: "Bench", data: { postgres: true } }),
  });
  const { data } = (await response.json()) as {
    data: { databases: { id: string; database_url: string | null }[] };
  };
  const [made] = data.databases;
  if (made === undefined) throw new Error(`A create answered ${response.status}.`);
  const laps = (response.headers.get("server-timing") ?? "").matchAll(/(\w+);dur=(\d+)/g);
  const timing = new Map([...laps].map(([, name = "", value]) => [name, Number(value)] as const));
  const url = made.database_url ?? (await untilRunning(installation, made.id));
  return { url, timing, databaseId: made.id };
}

// A create that finds no spare answers before it is done; its time runs on.
async function untilRunning(installation: Installation, databaseId: string): Promise<string> {
  for (;;) {
    const { state } = await callApi(installation, "GET", `/databases/${databaseId}`);
    if (state === "failed") throw new Error(`The database ${databaseId} was not made.`);
    if (state === "running") break;
    await delay(10);
  }
  const path = `/databases/${databaseId}/credentials`;
  return (await callApi(installation, "GET", path)).database_url;
}

async function stepsOf({ apiUrl, apiKey }: Installation, databaseId: string) {
  const response = await fetch(`${apiUrl}/operations?database_id=${databaseId}`, {
    headers: { authorization: `Bearer ${apiKey}` },
  });
  const { data } = (await response.json()) as {
    data: { step_milliseconds: Record<string, number> }[];
  };
  return Object.entries(data[0]?.step_milliseconds ?? {});
}

async function firstRow(url: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query("select 1");
  await client.end();
}

async function createRaw(database: pg.Client, name: string): Promise<void> {
  await database.query(`create role ${name} login`);
  await database.query(`create database ${name} owner ${name}`);
}

async function rawRate({ superuser }: SharedCluster, prefix: string): Promise<number> {
  const clients = Array.from(
    { length: concurrency },
    () => new pg.Client({ ...superuser, database: "postgres" }),
  );
  await Promise.all(clients.map((client) => client.connect()));
  const idle = [...clients];
  const result = await rateOf(ratePerRound, concurrency, async (index) => {
    const client = idle.pop();
    if (client === undefined) throw new Error("More work than connections.");
    await createRaw(client, `${prefix}_${index}`);
    idle.push(client);
  });
  await Promise.all(clients.map((client) => client.end()));
  return result;
}

// Refilling the spares between two measurements would slow whichever comes next.
async function untilSpares(installation: Installation): Promise<void> {
  let before = -1;
  for (;;) {
    const [host] = await callApi(installation, "GET", "/admin/hosts");
    const spares = await callApi(installation, "GET", `/admin/hosts/${host.id}/spares`);
    const ready = spares.filter(({ state }: Data) => state === "ready").length;
    if (ready > 0 && ready === before && ready === spares.length) return;
    before = ready;
    await delay(settleMilliseconds);
  }
}

function share(ours: number[], raw: number[]): string {
  return `${((median(ours) / median(raw)) * 100).toFixed(0)} %`;
}
