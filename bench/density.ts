// How many databases with a Postgres of their own one machine carries: memory, processors and disk
// at rest, one that works among idle ones, some that work at once, and the start of all after a
// crash of everything. Beside it in turn: as many databases of one shared cluster.
// MIOSA_BENCH_RUNNING says how many run, MIOSA_BENCH_ASLEEP how many sleep beside them.
import { statfsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { callApi, createDatabase } from "./api.ts";
import { availableBytes, type Cost, costOfAll } from "./cost.ts";
import { type Installation, install } from "./installation.ts";
import type { Progress } from "./progress.ts";
import { line, ms, table } from "./report.ts";
import { type SharedCluster, startSharedCluster } from "./shared-cluster.ts";
import { isToy, size } from "./size.ts";
import { percentile, timed } from "./statistics.ts";

const running = size(300, 3, "MIOSA_BENCH_RUNNING");
const asleep = size(1700, 1, "MIOSA_BENCH_ASLEEP");
const active = size(50, 2);
const makersAtOnce = 4;
const restSeconds = size(60, 1);
const busySeconds = size(20, 1);
const activeSeconds = size(30, 1);
const perSecond = 5;
const megabyte = 1024 ** 2;

export const parts = { make: 600, rest: 130, busy: 90, active: 70, asleep: 2400, start: 120 };

/** Databases that are measured: how one is reached, and what its processes are known by. */
interface Kind {
  readonly name: string;
  readonly urls: readonly string[];
  readonly words: readonly RegExp[];
}

type Tell = (done: number, of: number) => void;

/** `npm run bench -- density` */
export async function run({ part }: Progress): Promise<void> {
  const installation = await install(running + asleep + 50, { isAlone: true });
  const shared = await startSharedCluster(8 * active + 100);
  const availableBefore = availableBytes();
  const urls = await part("make", (tell) => makeAll(installation, running, tell));
  await wakeAll(urls);
  const used = availableBefore - availableBytes();
  line(`${running} running instances took ${ms(used / megabyte)} MB of available memory\n`);
  const own: Kind = {
    name: "own instances",
    urls,
    words: [/proj_[a-z0-9]{20}/, /pooler\/(transaction|session)\.ini/, /host\/program\/main\.ts/],
  };
  const peer: Kind = {
    name: "one shared cluster",
    urls: await makeShared(shared, running),
    words: [new RegExp(shared.word)],
  };
  const kinds = [own, peer];
  await part("rest", () => rest(kinds));
  await part("busy", () => busy(kinds));
  await part("active", () => activeOnes(kinds));
  await part("asleep", (tell) => sleepers(installation, tell));
  await part("start", () => startAll(installation, urls));
}

/** Makes so many that never sleep, a few at a time. */
async function makeAll(
  installation: Installation,
  count: number,
  tell: Tell,
  suspendAfterSeconds = 0,
): Promise<string[]> {
  const urls: string[] = [];
  let begun = 0;
  const work = async () => {
    while (begun < count) {
      const number = begun++;
      const { id, database_url } = await createDatabase(installation, `Tenant ${number}`);
      const body = { suspend_after_seconds: suspendAfterSeconds };
      if (suspendAfterSeconds > 0) await callApi(installation, "PATCH", `/databases/${id}`, body);
      urls.push(database_url);
      tell(urls.length, count);
    }
  };
  await Promise.all(Array.from({ length: makersAtOnce }, work));
  return urls;
}

async function ask(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query("select 1").finally(() => client.end());
}

/** Has each answer once, a few at a time. */
async function wakeAll(urls: readonly string[]): Promise<void> {
  let next = 0;
  const work = async () => {
    for (let url = urls[next++]; url !== undefined; url = urls[next++]) await ask(url);
  };
  await Promise.all(Array.from({ length: makersAtOnce }, work));
}

async function makeShared({ superuser }: SharedCluster, count: number): Promise<string[]> {
  const client = new pg.Client({ ...superuser, database: "postgres" });
  await client.connect();
  const { host, port, user, password } = superuser;
  const urls: string[] = [];
  try {
    for (let number = 0; number < count; number++) {
      await client.query(`create database tenant_${number}`);
      const login = `${user}:${encodeURIComponent(password)}`;
      const at = `host=${encodeURIComponent(String(host))}&port=${port}`;
      urls.push(`postgresql://${login}@/tenant_${number}?${at}`);
    }
  } finally {
    await client.end();
  }
  return urls;
}

function costOf({ words }: Kind): Cost {
  const costs = words.map((word) => costOfAll(word));
  const sum = (value: (cost: Cost) => number) =>
    costs.reduce((total, cost) => total + value(cost), 0);
  return {
    processes: sum(({ processes }) => processes),
    bytes: sum(({ bytes }) => bytes),
    milliseconds: sum(({ milliseconds }) => milliseconds),
  };
}

async function rest(kinds: readonly Kind[]): Promise<void> {
  await delay(isToy ? 100 : 30_000);
  const before = kinds.map(costOf);
  await delay(restSeconds * 1000);
  const after = kinds.map(costOf);
  const rows = kinds.map(({ name }, at) => {
    const { processes, bytes, milliseconds } = after[at] ?? costOfAll("none");
    const each = bytes / megabyte / running;
    const rate = (milliseconds - (before[at]?.milliseconds ?? 0)) / restSeconds;
    return [name, String(processes), ms(bytes / megabyte), ms(each), ms(rate)];
  });
  line(`${running} databases at rest, all programs counted, ${restSeconds} s`);
  table(["", "processes", "PSS MB", "PSS MB each", "processor ms/s of all"], rows);
}

/** Milliseconds of each round trip of one client that reads and writes for so long. */
async function roundTrips(url: string, seconds: number, pauseMilliseconds = 0) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const taken: number[] = [];
  const end = performance.now() + seconds * 1000;
  try {
    await client.query("create table if not exists work (n int)");
    while (performance.now() < end) {
      const write = () => client.query("insert into work values (1)");
      const { milliseconds } = await timed(write);
      taken.push(milliseconds);
      if (pauseMilliseconds > 0) await delay(Math.max(0, pauseMilliseconds - milliseconds));
    }
  } finally {
    await client.end();
  }
  return taken;
}

const spreadOf = (taken: readonly number[]) => [50, 99].map((p) => ms(percentile(taken, p)));

async function busy(kinds: readonly Kind[]): Promise<void> {
  const rows: string[][] = [];
  for (let round = 0; round < size(2, 1); round++) {
    for (const { name, urls } of kinds) {
      rows.push([name, ...spreadOf(await roundTrips(urls[0] ?? "", busySeconds))]);
    }
  }
  line(`One that commits as fast as it can among ${running - 1} idle ones (ms)`);
  table(["", "commit p50", "commit p99"], rows);
}

async function activeOnes(kinds: readonly Kind[]): Promise<void> {
  const rows: string[][] = [];
  for (const kind of kinds) {
    const before = costOf(kind);
    const works = kind.urls
      .slice(0, active)
      .map((url) => roundTrips(url, activeSeconds, 1000 / perSecond));
    const taken = (await Promise.all(works)).flat();
    const { milliseconds, bytes } = costOf(kind);
    const each = (milliseconds - before.milliseconds) / taken.length;
    rows.push([
      kind.name,
      String(taken.length),
      ...spreadOf(taken),
      each.toFixed(2),
      ms(bytes / megabyte),
    ]);
  }
  line(`${active} of ${running} that commit ${perSecond} times a second each, ${activeSeconds} s`);
  table(["", "commits", "p50 ms", "p99 ms", "processor ms each", "PSS MB of all"], rows);
}

const freeBytes = (path: string) => {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
};

async function sleepers(installation: Installation, tell: Tell): Promise<void> {
  const { directory } = installation;
  const [memory, disk] = [availableBytes(), freeBytes(directory)];
  const made = await timed(() => makeAll(installation, asleep, tell, 5));
  await delay(isToy ? 100 : 30_000);
  const bytes = disk - freeBytes(directory);
  line(`${asleep} more that sleep, made in ${ms(made.milliseconds / 1000)} s`);
  table(
    ["databases in all", "disk MB each", "memory MB of all"],
    [
      [
        String(running + asleep),
        ms(bytes / megabyte / asleep),
        ms((memory - availableBytes()) / megabyte),
      ],
    ],
  );
}

/** Everything is killed at once, as when the machine goes; all that ran run again. */
async function startAll(installation: Installation, urls: readonly string[]): Promise<void> {
  await installation.system.crash();
  const first = await timed(async () => {
    await installation.system.start();
    await ask(urls[0] ?? "");
  });
  const all = await timed(() => wakeAll(urls));
  line(`After a kill of everything with ${running} running`);
  table(
    ["first row of one s", "all answer after s"],
    [[ms(first.milliseconds / 1000), ms((first.milliseconds + all.milliseconds) / 1000)]],
  );
}
