// One database proved by restoring it beside many others, and what the others notice of it.
// MIOSA_BENCH_NEIGHBOURS says how many others, MIOSA_BENCH_ROUNDS how often.
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { callApi, createDatabase, type Data } from "./api.ts";
import { type Installation, install } from "./installation.ts";
import type { Progress } from "./progress.ts";
import { line, ms, table } from "./report.ts";
import { size } from "./size.ts";
import { median, percentile, timed } from "./statistics.ts";

const neighbours = size(400, 2, "MIOSA_BENCH_NEIGHBOURS");
const rounds = size(3, 1, "MIOSA_BENCH_ROUNDS");
const rows = size(1_100_000, 1000);
const steadySeconds = size(10, 1);

export const parts = { neighbours: 90, verifications: 120 };

/** `npm run bench -- verification` */
export async function run({ part }: Progress): Promise<void> {
  const installation = await install();
  await part("neighbours", async (tell) => {
    for (let made = 0; made < neighbours; made++) {
      tell(made, neighbours);
      await createDatabase(installation, `Neighbour ${made}`);
    }
  });
  await part("verifications", (tell) => verifications(installation, tell));
}

const schema = `
  create table ledger as
    select n as id, n % 5000 as account, md5(n::text) as note, n * 7 as amount
    from generate_series(1, ${rows}) as n;
  alter table ledger add primary key (id);
  create index on ledger (account);
  create index on ledger (note);
  create index on ledger (amount)`;

async function withClient(url: string, work: (client: pg.Client) => Promise<unknown>) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await work(client).finally(() => client.end());
}

async function operate(installation: Installation, path: string, body: object): Promise<void> {
  const { operation_id } = await callApi(installation, "POST", path, body);
  for (;;) {
    const { status } = await callApi(installation, "GET", `/operations/${operation_id}`);
    if (status === "succeeded") return;
    if (status !== "pending" && status !== "running") throw new Error(`${path}: ${status}`);
    await delay(50);
  }
}

/** Milliseconds of each insert, one after the other, while `work` goes on. */
async function insertsWhile(url: string, work: () => Promise<unknown>): Promise<number[]> {
  const took: number[] = [];
  const over = new AbortController();
  const writing = withClient(url, async (client) => {
    while (!over.signal.aborted) {
      const insert = () => client.query("insert into busy (at) values (now())");
      took.push((await timed(insert)).milliseconds);
    }
  });
  await work().finally(() => over.abort());
  await writing;
  return took;
}

async function verifications(
  installation: Installation,
  tell: (done: number, of: number) => void,
): Promise<void> {
  const { id, database_url } = await createDatabase(installation, "Ledger");
  const other = await createDatabase(installation, "Busy neighbour");
  await withClient(database_url, (client) => client.query(schema));
  await withClient(other.database_url, (client) => client.query("create table busy (at text)"));
  const [host] = await callApi(installation, "GET", "/admin/hosts");
  const admin = `/admin/hosts/${host.id}`;
  await operate(installation, `/admin/databases/${id}/base-backups`, { type: "full" });
  await delay(2000);
  const quiet = await insertsWhile(other.database_url, () => delay(steadySeconds * 1000));
  const beside: number[] = [];
  const totals: number[] = [];
  const checks: Data[][] = [];
  for (let round = 0; round < rounds; round++) {
    tell(round, rounds);
    const verify = () => operate(installation, `${admin}/verifications`, { database_id: id });
    const inserts = await insertsWhile(other.database_url, async () => {
      totals.push((await timed(verify)).milliseconds);
    });
    beside.push(...inserts);
    const [newest] = await callApi(installation, "GET", `/databases/${id}/certificates`);
    if (newest.result !== "passed") throw new Error(JSON.stringify(newest.checks));
    checks.push(newest.checks);
  }
  line(`One database of ${rows} rows beside ${neighbours} others, ${rounds} rounds, median ms:`);
  const names: string[] = (checks[0] ?? []).map(({ name }) => name);
  const tookOf = (name: string) => checks.map((all) => all.find((one) => one.name === name));
  const medians = names.map((name) => median(tookOf(name).map(({ milliseconds }) => milliseconds)));
  table(
    ["verification", ...names],
    [[totals, ...medians].map((value) => ms(median([value].flat())))],
  );
  line("A neighbour's inserts, ms:");
  const rowOf = (name: string, took: number[]) => [
    name,
    ms(percentile(took, 50)),
    ms(percentile(took, 99)),
    ms(Math.max(...took)),
  ];
  const compared = [rowOf("before", quiet), rowOf("while it is verified", beside)];
  table(["", "p50", "p99", "longest"], compared);
}
