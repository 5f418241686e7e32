// What a Postgres of its own costs: to make, to wake, to bring back, to branch, and to leave idle.
// Made beside it in turn, by Postgres' own programs: a database of a cluster that many share.
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "pg";
import { openTestDatabases, type TestDatabase } from "../test/support/databases.ts";
import { onEnd } from "./ending.ts";
import { type Installation, install } from "./installation.ts";
import { createByHand } from "./peer.ts";
import type { Progress } from "./progress.ts";
import { line, ms, table } from "./report.ts";
import { isToy, size } from "./size.ts";
import { percentile, timed } from "./statistics.ts";

const rounds = size(40, 2);
const restoreRounds = size(3, 1);
const ownMegabytes = size(160, 4);
const writtenMegabytes = isToy ? [2] : [20, 430];
const idleInstances = size(50, 4);
const idleMilliseconds = size(20_000, 500);
const settleMilliseconds = size(3000, 100);

export const parts = { create: 40, wake: 20, restore: 120, branch: 30, idle: 80 };

type Host = Awaited<ReturnType<typeof openTestDatabases>>;

/** `npm run bench -- instances` */
export async function run({ part }: Progress): Promise<void> {
  const shared = await install(300);
  if (shared.binaries.kind === "rootfs") process.env.MIOSA_ROOTFS = shared.binaries.path;
  const host = await openTestDatabases();
  onEnd(host.stop);
  await part("create", (tell) => create(host, shared, tell));
  await part("wake", (tell) => wake(host, tell));
  const kept = await host.create("proj_bench_kept");
  const client = await host.connect(kept);
  await part("restore", () => restore(host, kept, client));
  await part("branch", () => branch(host, kept, client));
  await client.end();
  await part("idle", () => idle(host));
}

type Tell = (done: number, of: number) => void;

async function firstRow(host: Host, database: TestDatabase): Promise<void> {
  const client = await host.connect(database);
  await client.query("select 1");
  await client.end();
}

function tellTimes(what: string, taken: readonly number[]): string[] {
  return [what, ...[50, 99].map((p) => ms(percentile(taken, p))), ms(Math.max(...taken))];
}
const timesHeader = (what: string) => [what, "p50 ms", "p99 ms", "max ms"];

async function create(host: Host, shared: Installation, tell: Tell): Promise<void> {
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    tell(round, rounds);
    const name = `proj_bench_${round}`;
    const made = await timed(async () => firstRow(host, await host.create(name)));
    ours.push(made.milliseconds);
    theirs.push((await timed(() => createByHand(shared, `by_hand_${round}`))).milliseconds);
  }
  table(timesHeader("create, to the first row"), [
    tellTimes("an instance, without a spare", ours),
    tellTimes("createdb and psql, shared cluster", theirs),
  ]);
}

async function wake(host: Host, tell: Tell): Promise<void> {
  const database = await host.create("proj_bench_sleeper");
  const [woken, awake, asleep]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < rounds; round++) {
    tell(round, rounds);
    asleep.push((await timed(() => host.keeper.sleep(database.name))).milliseconds);
    woken.push((await timed(() => firstRow(host, database))).milliseconds);
    awake.push((await timed(() => firstRow(host, database))).milliseconds);
  }
  table(timesHeader("connect, to the first row"), [
    tellTimes("of one that sleeps", woken),
    tellTimes("of one that runs", awake),
    tellTimes("(putting it to sleep)", asleep),
  ]);
}

const fill = (table_: string, megabytes: number) =>
  `create table ${table_} as select g, md5(g::text) || repeat(md5(g::text), 30) as text
   from generate_series(1, ${megabytes * 1000}) g`;

async function restore(host: Host, { name }: TestDatabase, client: Client): Promise<void> {
  await client.query(fill("own", ownMegabytes));
  const rows: string[][] = [];
  for (const megabytes of writtenMegabytes) {
    await host.databases.backUp(name, "full");
    await client.query("drop table if exists written");
    await client.query(fill("written", megabytes));
    const [previews, restores]: [number[], number[]] = [[], []];
    for (let round = 0; round < restoreRounds; round++) {
      const { rows: said } = await client.query("select clock_timestamp()::text as at");
      await client.query("create table mistake ()");
      const order = host.previewOf(name, `proj_bench_shown_${megabytes}_${round}`);
      const target = { time: said[0].at };
      const seen = await timed(() => host.databases.preview(name, target, order));
      previews.push(seen.milliseconds);
      await host.databases.removePreview(order.name);
      const taken = await timed(async () => {
        await host.databases.restore(name, target);
        await client.query("select 1");
      });
      restores.push(taken.milliseconds);
    }
    rows.push(tellTimes(`preview, ${megabytes} MB written since`, previews));
    rows.push(tellTimes(`in place, ${megabytes} MB written since`, restores));
  }
  table(timesHeader(`restore of ${ownMegabytes} MB, to the first row`), rows);
}

async function branch(host: Host, { name }: TestDatabase, client: Client): Promise<void> {
  const taken: number[] = [];
  for (let round = 0; round < restoreRounds; round++) {
    const wanted = await host.order(`proj_bench_branch_${round}`);
    const made = await timed(async () => {
      await host.databases.branch(name, wanted.name, wanted.spec);
      await firstRow(host, wanted);
    });
    taken.push(made.milliseconds);
    await host.databases.remove(wanted.name);
  }
  const { rows } = await client.query("select pg_database_size(current_database())::float8 as n");
  const megabytes = Math.round(rows[0].n / 1024 ** 2);
  table(timesHeader("branch, to the first row"), [tellTimes(`of ${megabytes} MB`, taken)]);
}

/** Bytes of memory that are a process' share, and ticks of the processors it took. */
function costOf(pid: string): { readonly bytes: number; readonly ticks: number } {
  try {
    const pss = /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1];
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { bytes: Number(pss ?? 0) * 1024, ticks: Number(fields[11]) + Number(fields[12]) };
  } catch {
    // It has ended meanwhile.
    return { bytes: 0, ticks: 0 };
  }
}

const titleForm = /proj_bench_idle_\d+/;

function costOfAll(): { readonly bytes: number; readonly ticks: number; readonly count: number } {
  const own = readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return titleForm.test(readFileSync(`/proc/${pid}/cmdline`, "utf8"));
    } catch {
      return false;
    }
  });
  const costs = own.map(costOf);
  const sum = (value: (cost: (typeof costs)[number]) => number) =>
    costs.reduce((total, cost) => total + value(cost), 0);
  return { bytes: sum(({ bytes }) => bytes), ticks: sum(({ ticks }) => ticks), count: own.length };
}

const ticksPerSecond = 100;

async function idle(host: Host): Promise<void> {
  const made = await timed(async () => {
    for (let at = 0; at < idleInstances; at++) await host.create(`proj_bench_idle_${at}`);
  });
  await delay(settleMilliseconds);
  const before = costOfAll();
  const hostBefore = process.cpuUsage();
  await delay(idleMilliseconds);
  const { ticks } = costOfAll();
  const { user, system } = process.cpuUsage(hostBefore);
  const seconds = idleMilliseconds / 1000;
  const perSecond = ((ticks - before.ticks) / ticksPerSecond / seconds) * 1000;
  line(`${idleInstances} idle instances, made in ${ms(made.milliseconds / 1000)} s`);
  table(
    ["idle", "processes", "PSS MB each", "Postgres CPU ms/s, all", "host program CPU ms/s"],
    [
      [
        String(idleInstances),
        String(before.count),
        ms(before.bytes / 1024 ** 2 / idleInstances),
        ms(perSecond),
        ms((user + system) / 1000 / seconds),
      ],
    ],
  );
}
