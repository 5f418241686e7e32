// One database brought back to a moment through the API, from the call to the first row, alone on
// its host and among others; base backups beside a load. MIOSA_BENCH_NEIGHBOURS says how many
// others, MIOSA_BENCH_ROUNDS how often.
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { callApi, createDatabase, type Data } from "./api.ts";
import { type Installation, install } from "./installation.ts";
import type { Progress } from "./progress.ts";
import { line, ms, table } from "./report.ts";
import { isToy, size } from "./size.ts";
import { median, percentile, timed } from "./statistics.ts";

const neighbours = size(300, 2, "MIOSA_BENCH_NEIGHBOURS");
const rounds = size(5, 1, "MIOSA_BENCH_ROUNDS");
const rows = size(1_100_000, 1000);
const writtenMegabytes = isToy ? [1] : [20, 430];
const concurrency = 4;
const databasesSpare = 100;
const loadClients = 8;
const modes = ["preview", "in_place", "new"] as const;

export const parts = { alone: 180, neighbours: 400, among: 180, backups: 60 };

/** `npm run bench -- restore` */
export async function run({ part }: Progress): Promise<void> {
  const installation = await install(neighbours + databasesSpare);
  const ledger = await prepare(installation);
  const alone = await part("alone", () => restores(installation, ledger));
  await part("neighbours", async (tell) => {
    for (let made = 0; made < neighbours; made += concurrency) {
      tell(made, neighbours);
      const names = Array.from({ length: concurrency }, (_, at) => `Neighbour ${made + at}`);
      await Promise.all(names.map((name) => createDatabase(installation, name)));
    }
  });
  const among = await part("among", () => restores(installation, ledger));
  report(alone, among);
  await part("backups", () => backups(installation));
}

const schema = `
  create table ledger as
    select n as id, n % 5000 as account, md5(n::text) as note, n * 7 as amount
    from generate_series(1, ${rows}) as n;
  alter table ledger add primary key (id);
  create index on ledger (account);
  create index on ledger (note);
  create index on ledger (amount);
  create table written (n int, text text)`;

async function query(url: string, text: string): Promise<Data[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const result = await client.query(text);
    return (Array.isArray(result) ? result.at(-1) : result).rows;
  } finally {
    await client.end();
  }
}

async function prepare(installation: Installation): Promise<Data> {
  const database = await createDatabase(installation, "Ledger");
  const { database_url_session: url } = await callApi(
    installation,
    "GET",
    `/databases/${database.id}/credentials`,
  );
  await query(url, schema);
  return { ...database, url };
}

/** Has a base backup taken of a database; how long that took in milliseconds. */
async function backUp(installation: Installation, id: string, type: "full" | "incr") {
  const { milliseconds } = await timed(async () => {
    const path = `/admin/databases/${id}/base-backups`;
    const begun = await callApi(installation, "POST", path, { type });
    await untilOver(installation, `/operations/${begun.operation_id}`, "status");
  });
  return milliseconds;
}

async function untilOver(installation: Installation, path: string, field: string): Promise<Data> {
  for (;;) {
    const data = await callApi(installation, "GET", path);
    if (data[field] === "succeeded") return data;
    if (data[field] === "failed") throw new Error(`${path}: ${data.error_message}`);
    await delay(20);
  }
}

/** Writes about so much WAL to a table of the database's own. */
async function write(url: string, megabytes: number): Promise<void> {
  await query(
    url,
    `truncate written;
     insert into written
       select n, repeat(md5(n::text), 30) from generate_series(1, ${megabytes * 1000}) as n`,
  );
}

/** Milliseconds by what was restored and how. */
type Times = Map<string, number[]>;

async function restores(installation: Installation, ledger: Data): Promise<Times> {
  const times: Times = new Map();
  for (const megabytes of writtenMegabytes) {
    await backUp(installation, ledger.id, "full");
    await write(ledger.url, megabytes);
    for (let round = 0; round < rounds; round++) {
      const [{ moment }] = await query(ledger.url, "select clock_timestamp()::text as moment");
      await query(ledger.url, "create table mistake as select 1 as n");
      for (const mode of modes) {
        const { milliseconds, resource } = await restore(installation, ledger, mode, moment);
        const key = `${mode}, ${megabytes} MB written since`;
        times.set(key, [...(times.get(key) ?? []), milliseconds]);
        if (mode === "in_place") continue;
        const when = mode === "new" ? "?grace_seconds=0" : "";
        await callApi(installation, "DELETE", `${resource}${when}`);
      }
    }
  }
  return times;
}

async function restore(
  installation: Installation,
  ledger: Data,
  mode: (typeof modes)[number],
  moment: string,
): Promise<{ readonly milliseconds: number; readonly resource: string }> {
  const target_time = new Date(moment).toISOString().replace(/\.\d+Z/, microseconds(moment));
  const body = { mode, target_time, ...(mode === "new" ? { name: `r${Date.now()}` } : {}) };
  const path = `/databases/${ledger.id}/restores`;
  const { milliseconds, result } = await timed(async () => {
    const begun = await callApi(installation, "POST", path, body);
    const over = await untilOver(installation, `/restores/${begun.id}`, "state");
    const resource = mode === "preview" ? `/restores/${over.id}` : `/databases/${over.database_id}`;
    const { database_url: url } = await callApi(installation, "GET", `${resource}/credentials`);
    const [{ n: first }] = await query(url, "select id as n from ledger order by id limit 1");
    if (Number(first) !== 1) throw new Error("Another row came back.");
    return { resource, url };
  });
  const [{ n: found }] = await query(result.url, "select count(*) as n from ledger");
  if (Number(found) !== rows) throw new Error(`${found} rows came back.`);
  return { milliseconds, resource: result.resource };
}

// Postgres prints up to six digits, and none that are zero at the end.
function microseconds(moment: string): string {
  return `.${(/\.(\d+)/.exec(moment)?.[1] ?? "0").padEnd(6, "0")}Z`;
}

function report(alone: Times, among: Times): void {
  line(
    `A database of ${rows} rows brought back to a moment, to its first row, ${rounds} rounds (ms)`,
  );
  const spread = (values: readonly number[]) =>
    [median(values), Math.min(...values), Math.max(...values)].map(ms).join(" / ");
  table(
    ["", "alone: median / least / most", `among ${neighbours}`, "ratio of medians"],
    [...alone].map(([name, values]) => {
      const others = among.get(name) ?? [];
      const ratio = median(others) / median(values);
      return [name, spread(values), spread(others), `${ratio.toFixed(2)}×`];
    }),
  );
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
    const full = await backUp(installation, database.id, "full");
    const during = load.take();
    const incr = await backUp(installation, database.id, "incr");
    line(`Base backups of a database under a steady load of ${loadClients} clients (ms)`);
    table(
      ["", "took", "insert p50", "insert p99"],
      [
        ["no backup", "", ms(median(before)), ms(percentile(before, 99))],
        ["full", ms(full), ms(median(during)), ms(percentile(during, 99))],
        ["incremental", ms(incr), "", ""],
      ],
    );
  } finally {
    await load.stop();
  }
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
