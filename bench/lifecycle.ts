// What a database's life costs its clients: resume and wake beside a plain reconnect to the same
// pooler, a resize under load, and the look that finds drift among a thousand databases.
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { callApi, createDatabase, type Data } from "./api.ts";
import { type Installation, install } from "./installation.ts";
import type { Progress } from "./progress.ts";
import { line, ms, table } from "./report.ts";
import { size } from "./size.ts";
import { percentile, timed } from "./statistics.ts";

const resumeRounds = size(100, 2);
const wakeDatabases = size(25, 2);
const wakeRounds = size(4, 1);
const suspendAfterSeconds = 5;
const loadClients = size(100, 10);
const loadPauseMilliseconds = 100;
const resizes = ["medium", "large", "medium", "small"];
const quietMilliseconds = size(5000, 500);
const reconciledDatabases = size(1000, 8);
const reconcileRounds = size(20, 2);
const concurrency = 8;

export const parts = { resume: 40, wake: 80, resize: 25, reconcile: 170 };

/** `npm run bench -- lifecycle` */
export async function run({ part }: Progress): Promise<void> {
  const installation = await install();
  await part("resume", (tell) => resume(installation, tell));
  await part("wake", (tell) => wake(installation, tell));
  await part("resize", () => resize(installation));
  await part("reconcile", (tell) => reconcile(installation, tell));
}

type Tell = (done: number, of: number) => void;

async function firstRow(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query("select 1");
  } finally {
    await client.end();
  }
}

async function resume(installation: Installation, tell: Tell): Promise<void> {
  const database = await createDatabase(installation, "Resume");
  const path = `/databases/${database.id}`;
  const stops: number[] = [];
  const starts: number[] = [];
  const plain: number[] = [];
  for (let round = 0; round < resumeRounds; round++) {
    tell(round, resumeRounds);
    await firstRow(database.database_url);
    plain.push((await timed(() => firstRow(database.database_url))).milliseconds);
    stops.push((await timed(() => callApi(installation, "POST", `${path}/stop`))).milliseconds);
    const resumed = await timed(async () => {
      await callApi(installation, "POST", `${path}/start`);
      await firstRow(database.database_url);
    });
    starts.push(resumed.milliseconds);
  }
  line(`Stop and start, ${resumeRounds} rounds (ms)`);
  report(plain, [
    ["POST stop, answered", stops],
    ["POST start → first answered query of a new connection", starts],
  ]);
}

async function wake(installation: Installation, tell: Tell): Promise<void> {
  const databases: Data[] = [];
  for (let made = 0; made < wakeDatabases; made++) {
    const database = await createDatabase(installation, `Wake ${made}`);
    await callApi(installation, "PATCH", `/databases/${database.id}`, {
      suspend_after_seconds: suspendAfterSeconds,
    });
    databases.push(database);
  }
  const [awake] = [await createDatabase(installation, "Awake")];
  const woken: number[] = [];
  const plain: number[] = [];
  for (let round = 0; round < wakeRounds; round++) {
    tell(round, wakeRounds);
    for (const { id } of databases) await untilSuspended(installation, id);
    for (const { database_url: url } of databases) {
      woken.push((await timed(() => firstRow(url))).milliseconds);
      plain.push((await timed(() => firstRow(awake.database_url))).milliseconds);
    }
  }
  line(`Wake on connect, ${woken.length} rounds (ms)`);
  report(plain, [["first query of a suspended database", woken]]);
}

async function untilSuspended(installation: Installation, id: string): Promise<void> {
  while ((await callApi(installation, "GET", `/databases/${id}`)).state !== "suspended") {
    await delay(200);
  }
}

async function resize(installation: Installation): Promise<void> {
  const database = await createDatabase(installation, "Resize");
  const load = await startLoad(database.database_url);
  // The first queries make the pool's backends.
  await delay(quietMilliseconds);
  load.take();
  await delay(quietMilliseconds);
  const before = load.take();
  for (const size of resizes) {
    await callApi(installation, "PATCH", `/databases/${database.id}`, { size });
    await delay(quietMilliseconds / resizes.length);
  }
  const during = load.take();
  await load.stop();
  line(`Resize (${resizes.length} times) under a steady load of ${loadClients} clients`);
  const row = (name: string, { milliseconds, failed }: Taken) => [
    name,
    String(milliseconds.length),
    String(failed),
    ms(percentile(milliseconds, 50)),
    ms(percentile(milliseconds, 99)),
  ];
  table(
    ["", "queries", "failed", "p50 ms", "p99 ms"],
    [row("before", before), row("while it is resized", during)],
  );
  const added = percentile(during.milliseconds, 99) - percentile(before.milliseconds, 99);
  line(`Added p99: ${ms(added)} ms\n`);
}

async function reconcile(installation: Installation, tell: Tell): Promise<void> {
  for (let made = 0; made < reconciledDatabases; made += concurrency) {
    tell(made, reconciledDatabases);
    const names = Array.from({ length: concurrency }, (_, at) => `Reconciled ${made + at}`);
    await Promise.all(names.map((name) => createDatabase(installation, name)));
  }
  const [host] = await callApi(installation, "GET", "/admin/hosts");
  const looks: number[] = [];
  for (let round = 0; round < reconcileRounds; round++) {
    const look = () => callApi(installation, "POST", `/admin/hosts/${host.id}/reconcile`);
    looks.push((await timed(look)).milliseconds);
  }
  line(`Reconciling ${host.databases_count} databases, ${reconcileRounds} looks (ms)`);
  table(["p50", "p99"], [[ms(percentile(looks, 50)), ms(percentile(looks, 99))]]);
}

/** What a load has seen since it was last asked. */
interface Taken {
  readonly milliseconds: readonly number[];
  readonly failed: number;
}

async function startLoad(url: string) {
  const clients = Array.from({ length: loadClients }, () => new pg.Client(url));
  await Promise.all(clients.map((client) => client.connect()));
  let milliseconds: number[] = [];
  let failed = 0;
  let isOver = false;
  // One that is ended between two queries failed as much as one that is ended in a query.
  for (const client of clients) client.on("error", () => failed++);
  const runs = clients.map(async (client) => {
    while (!isOver) {
      const query = timed(() => client.query("select 1"));
      await query.then(
        (one) => milliseconds.push(one.milliseconds),
        () => failed++,
      );
      await delay(loadPauseMilliseconds);
    }
    await client.end();
  });
  return {
    take: (): Taken => {
      const taken = { milliseconds, failed };
      milliseconds = [];
      failed = 0;
      return taken;
    },
    stop: async () => {
      isOver = true;
      await Promise.all(runs);
    },
  };
}

function report(plain: readonly number[], rows: readonly (readonly [string, number[]])[]): void {
  const render = (name: string, values: readonly number[]) => [
    name,
    ...[50, 99].map((p) => ms(percentile(values, p))),
    `${(percentile(values, 50) / percentile(plain, 50)).toFixed(1)}×`,
  ];
  table(
    ["", "p50", "p99", "p50 against the reconnect"],
    [
      ...rows.map(([name, values]) => render(name, values)),
      render("plain reconnect to the same pooler", plain),
    ],
  );
}
