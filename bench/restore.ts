// One database brought back to a moment, beside many others, against the usual way to do it: stock
// `pgbackrest restore --db-include`, recovery, dump, load. MIOSA_BENCH_NEIGHBOURS says how many
// others, MIOSA_BENCH_ROUNDS how often.
import { spawnSync } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { callApi, createDatabase, type Data } from "./api.ts";
import { type Installation, install } from "./installation.ts";
import type { Progress } from "./progress.ts";
import { line, ms, table } from "./report.ts";
import { restoreByHand } from "./restore-peer.ts";
import { isToy, size } from "./size.ts";
import { median, percentile, timed } from "./statistics.ts";

const neighbours = size(400, 2, "MIOSA_BENCH_NEIGHBOURS");
const rounds = size(3, 1, "MIOSA_BENCH_ROUNDS");
const rows = size(1_100_000, 1000);
const walBytesPerRound = size(430, 2) * 1024 ** 2;
const concurrency = 4;
const databasesSpare = 100;
const loadClients = 8;
const objectiveSeconds = size(150, 3);

export const parts = { neighbours: 60, restores: 240, backups: 90, archive: 200 };

/** `npm run bench -- restore` */
export async function run({ part }: Progress): Promise<void> {
  const installation = await install(neighbours + databasesSpare);
  await part("neighbours", async (tell) => {
    for (let made = 0; made < neighbours; made += concurrency) {
      tell(made, neighbours);
      const names = Array.from({ length: concurrency }, (_, at) => `Neighbour ${made + at}`);
      await Promise.all(names.map((name) => createDatabase(installation, name)));
    }
  });
  await part("restores", (tell) => restores(installation, tell));
  await part("backups", () => backups(installation));
  await part("archive", () => objective(installation));
}

const schema = `
  create table ledger as
    select n as id, n % 5000 as account, md5(n::text) as note, n * 7 as amount
    from generate_series(1, ${rows}) as n;
  alter table ledger add primary key (id);
  create index on ledger (account);
  create index on ledger (note);
  create index on ledger (amount)`;

const now = `
  select clock_timestamp()::text as moment, oid::int
  from pg_database where datname = current_database()`;

async function query(url: string, text: string): Promise<Data[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

async function countRows(url: string): Promise<number> {
  return Number((await query(url, "select count(*) as n from ledger"))[0]?.n);
}

async function superuser<Result>(
  installation: Installation,
  database: string,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  // By default the superuser finds nothing of a tenant's without its schema.
  const options = "-c search_path=public";
  const client = new pg.Client({ ...installation.superuser, database, options });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Has the cluster take a base backup; how long that took in milliseconds. */
async function backUp(installation: Installation, type: "full" | "incr"): Promise<number> {
  const [cluster] = await callApi(installation, "GET", "/admin/clusters");
  const path = `/operations?resource_id=${cluster.id}&status=running`;
  // One by schedule may be under way.
  while ((await callApi(installation, "GET", path)).length > 0) await delay(500);
  const { milliseconds } = await timed(async () => {
    const backups = `/admin/clusters/${cluster.id}/backups`;
    const { operation_id } = await callApi(installation, "POST", backups, { type });
    await untilOver(installation, `/operations/${operation_id}`, "status");
  });
  return milliseconds;
}

async function untilOver(installation: Installation, path: string, field: string): Promise<Data> {
  for (;;) {
    const data = await callApi(installation, "GET", path);
    if (data[field] === "succeeded") return data;
    if (data[field] === "failed") throw new Error(`${path}: ${data.error_message}`);
    await delay(50);
  }
}

// A virtual machine whose hypervisor has taken unused memory back gets it page by page, at a tenth
// of the speed of a disk's cache. Memory that was touched is there for whatever comes next.
function touchMemory(): void {
  const each = "for (let i = 0; i < 6; i++) keep.push(Buffer.alloc(2 ** 30, 1))";
  spawnSync(process.execPath, ["-e", `const keep = []; ${each}`]);
}

// What neighbours do all day: tables that come and go, and are vacuumed.
async function writeWal(installation: Installation, database: string): Promise<void> {
  await superuser(installation, database, async (client) => {
    const written = async (since: string) =>
      (await client.query("select pg_wal_lsn_diff(pg_current_wal_lsn(), $1) as n", [since])).rows[0]
        .n;
    const { rows: start } = await client.query("select pg_current_wal_lsn() as lsn");
    while (Number(await written(start[0].lsn)) < walBytesPerRound) {
      await client.query(`create table filler as
        select n, repeat(md5(n::text), 10) as text from generate_series(1, 60000) as n`);
      await client.query("update filler set n = n + 1 where n % 10 = 0");
      await client.query("vacuum full filler");
      await client.query("drop table filler");
    }
  });
}

async function restores(
  installation: Installation,
  tell: (done: number, of: number) => void,
): Promise<void> {
  const database = await createDatabase(installation, "Ledger");
  const neighbour = await createDatabase(installation, "Busy neighbour");
  const url = database.database_url_session ?? database.database_url;
  await query(url, schema);
  const ours: Record<string, number[]> = { preview: [], new: [], in_place: [] };
  const theirs: { readable: number[]; loaded: number[] } = { readable: [], loaded: [] };
  const steps: Record<string, number>[] = [];
  for (let round = 0; round < rounds; round++) {
    tell(round, rounds);
    await backUp(installation, "incr");
    await delay(1100);
    await writeWal(installation, neighbour.database);
    const [{ moment, oid }] = await query(url, now);
    await query(url, "drop table ledger");
    for (const mode of ["preview", "new", "in_place"]) {
      if (!isToy) touchMemory();
      const { milliseconds, result } = await timed(() =>
        restore(installation, database, mode, moment),
      );
      ours[mode]?.push(milliseconds);
      steps.push(result.over.step_milliseconds ?? {});
      if (mode !== "in_place") {
        const when = mode === "new" ? "?grace_seconds=0" : "";
        await callApi(installation, "DELETE", `${result.resource}${when}`);
      }
    }
    if (!isToy) touchMemory();
    const took = await restoreByHand(installation, { database: database.database, oid, moment });
    theirs.readable.push(took.readable);
    theirs.loaded.push(took.loaded);
  }
  const size = `${neighbours} neighbours, ${rounds} rounds, 430 MB of WAL to replay`;
  line(`A database of ${rows} rows brought back to a moment; ${size} (ms)`);
  const row = (name: string, values: readonly number[]) => [
    name,
    ms(median(values)),
    ms(Math.min(...values)),
    ms(Math.max(...values)),
    `${(median(theirs.loaded) / median(values)).toFixed(1)}×`,
  ];
  table(
    ["", "median", "least", "most", "faster than the usual way"],
    [
      row("POST restores, preview → counted over its URL", ours.preview ?? []),
      row("POST restores, in_place → counted over the same URL", ours.in_place ?? []),
      row("POST restores, new → counted over its URL", ours.new ?? []),
      row("usual way, readable beside the cluster", theirs.readable),
      row("usual way, loaded back", theirs.loaded),
    ],
  );
  const names = [...new Set(steps.flatMap((each) => Object.keys(each)))];
  table(
    ["step of a recovery", "median ms"],
    names.map((name) => [name, ms(median(steps.map((each) => each[name] ?? 0)))]),
  );
}

async function restore(
  installation: Installation,
  database: Data,
  mode: string,
  moment: string,
): Promise<{ readonly over: Data; readonly resource: string }> {
  const target_time = new Date(moment).toISOString().replace(/\.\d+Z/, microseconds(moment));
  const body = { mode, target_time, ...(mode === "new" ? { name: `r${Date.now()}` } : {}) };
  const path = `/databases/${database.id}/restores`;
  const begun = await callApi(installation, "POST", path, body);
  const over = await untilOver(installation, `/restores/${begun.id}`, "state");
  const resource = mode === "preview" ? `/restores/${over.id}` : `/databases/${over.database_id}`;
  const { database_url: url } = await callApi(installation, "GET", `${resource}/credentials`);
  const found = await countRows(url);
  if (found !== rows) throw new Error(`${found} rows came back.`);
  return { over, resource };
}

// Postgres prints up to six digits, and none that are zero at the end.
function microseconds(moment: string): string {
  return `.${(/\.(\d+)/.exec(moment)?.[1] ?? "0").padEnd(6, "0")}Z`;
}

/** What a base backup takes, and what it costs those who work meanwhile. */
async function backups(installation: Installation): Promise<void> {
  const database = await createDatabase(installation, "Steady");
  const load = await startLoad(database.database_url);
  try {
    await delay(size(5000, 500));
    load.take();
    await delay(size(10_000, 1000));
    const before = load.take();
    const full = await backUp(installation, "full");
    const during = load.take();
    const incr = await backUp(installation, "incr");
    reportBackups(before, during, full, incr);
  } finally {
    await load.stop();
  }
}

function reportBackups(before: number[], during: number[], full: number, incr: number): void {
  line(
    `Base backups of ${neighbours} databases under a steady load of ${loadClients} clients (ms)`,
  );
  table(
    ["", "took", "insert p50", "insert p99"],
    [
      ["no backup", "", ms(median(before)), ms(percentile(before, 99))],
      ["full", ms(full), ms(median(during)), ms(percentile(during, 99))],
      ["incremental", ms(incr), "", ""],
    ],
  );
}

async function startLoad(url: string) {
  await query(url, "create table steady (n int)");
  const clients = Array.from({ length: loadClients }, () => new pg.Client(url));
  for (const client of clients) client.on("error", () => undefined);
  await Promise.all(clients.map((client) => client.connect()));
  let milliseconds: number[] = [];
  let isOver = false;
  const runs = clients.map(async (client) => {
    while (!isOver) {
      milliseconds.push(
        (await timed(() => client.query("insert into steady values (1)"))).milliseconds,
      );
      await delay(20);
    }
    await client.end();
  });
  return {
    take: () => {
      const taken = milliseconds;
      milliseconds = [];
      return taken;
    },
    stop: async () => {
      isOver = true;
      await Promise.all(runs);
    },
  };
}

/** From a commit until it is in the repository. */
async function objective(installation: Installation): Promise<void> {
  const waits: number[] = [];
  await superuser(installation, "postgres", async (client) => {
    await client.query("create table if not exists pace (n int)");
    const open: { readonly at: number; readonly segment: string }[] = [];
    const until = Date.now() + objectiveSeconds * 1000;
    while (Date.now() < until || open.length > 0) {
      if (Date.now() < until) {
        await client.query("insert into pace values (1)");
        const { rows: found } = await client.query(
          "select pg_walfile_name(pg_current_wal_insert_lsn()) as segment",
        );
        open.push({ at: Date.now(), segment: found[0].segment });
      }
      const { rows: archiver } = await client.query(
        "select coalesce(last_archived_wal, '') as last from pg_stat_archiver",
      );
      while (open[0] !== undefined && open[0].segment <= archiver[0].last) {
        waits.push((Date.now() - open[0].at) / 1000);
        open.shift();
      }
      await delay(200);
    }
    await client.query("drop table pace");
  });
  line(`From a commit to the archive, five commits a second for ${objectiveSeconds} s (s)`);
  table(["p50", "p99"], [[ms(percentile(waits, 50)), ms(percentile(waits, 99))]]);
}
