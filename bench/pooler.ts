// What the pooler costs and carries: beside a bare PgBouncer and Postgres itself, in turn; one
// database with 10,000 clients; a full host with all its tenants at work.
import { readFileSync } from "node:fs";
import { socketPort } from "../host/instance/place.ts";
import { operatorQuery, superuserOf } from "../test/support/operator.ts";
import { callApi, createDatabase, type Data } from "./api.ts";
import { type Installation, install } from "./installation.ts";
import { gather, spread } from "./pooler-client.ts";
import { type Place, pgbench, startBare } from "./pooler-peer.ts";
import type { Progress } from "./progress.ts";
import { line, table } from "./report.ts";
import { compare } from "./serverless.ts";
import { size } from "./size.ts";
import { median } from "./statistics.ts";

const rounds = size(3, 1);
const seconds = size(5, 0.1, "MIOSA_BENCH_SECONDS");
const databases = size(300, 4, "MIOSA_BENCH_DATABASES");
const clientCounts = [8, 100, 900].slice(0, size(3, 1));
const instances = size(1000, 4);
const connectionsPerInstance = 10;
const backends = size(100, 8);
const poolSize = 20;

const crowdSeconds = size(12, 1);

export const parts = { throughput: 260, "one database": 60, "full host": 120, serverless: 25 };

/** `npm run bench -- pooler` */
export async function run({ part }: Progress): Promise<void> {
  const all = instances * connectionsPerInstance;
  const installation = await install(databases + 10, {
    backendsMax: 8 * databases + all / 8,
    clientsMax: all + 2000,
  });
  await part("throughput", () => throughput(installation));
  await part("one database", () => oneDatabase(installation, all));
  await part("full host", (tell) => fullHost(installation, tell));
  await part("serverless", () => compare(installation));
}

async function limited(installation: Installation, name: string, limits: Data): Promise<Data> {
  const database = await createDatabase(installation, name);
  await callApi(installation, "PATCH", `/admin/databases/${database.id}/limits`, limits);
  return database;
}

function placeOf({ database_url }: Data): Place {
  const { hostname, port, username, password, pathname } = new URL(database_url);
  const login = { user: username, password: decodeURIComponent(password) };
  return { host: hostname, port: Number(port), ...login, database: pathname.slice(1) };
}

async function throughput(installation: Installation): Promise<void> {
  const limits = { connections_max: 1000, pool_size: poolSize };
  const ours = placeOf(await limited(installation, "Pooled", limits));
  const bare = await startBare(installation, ours, poolSize);
  const { door: host } = superuserOf(installation.system, ours.database);
  const direct = { ...ours, host, port: socketPort };
  const ways = { ours, bare: bare.place, direct };
  const all: Rates[] = [];
  for (const clients of clientCounts) {
    all.push(await inTurn(installation, ways, { clients, isConnecting: false }));
  }
  all.push(await inTurn(installation, ways, { clients: 8, isConnecting: true }));
  line(`select 1 a second, pool of ${poolSize}, medians of ${rounds} rounds in turn`);
  table(
    ["clients", "ours", "bare PgBouncer", "Postgres", "of bare", "of Postgres"],
    all.map(rowOf),
  );
  const times = (all[0]?.ours ?? 0) / (all.at(-1)?.direct ?? 0);
  line(`8 clients of ours, of 8 that connect to Postgres for each: ${times.toFixed(0)}×\n`);
}

/** Transactions a second. */
interface Rates {
  readonly name: string;
  readonly ours: number;
  readonly bare: number;
  readonly direct: number;
}

async function inTurn(
  installation: Installation,
  ways: Readonly<Record<"ours" | "bare" | "direct", Place>>,
  load: { readonly clients: number; readonly isConnecting: boolean },
): Promise<Rates> {
  const rates = { ours: [] as number[], bare: [] as number[], direct: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    for (const way of ["ours", "bare", "direct"] as const) {
      rates[way].push(await pgbench(installation, ways[way], { ...load, seconds }));
    }
  }
  const name = `${load.clients}${load.isConnecting ? ", a connection for each" : ""}`;
  const [ours, bare, direct] = [median(rates.ours), median(rates.bare), median(rates.direct)];
  return { name, ours, bare, direct };
}

function rowOf({ name, ours, bare, direct }: Rates): string[] {
  const whole = [ours, bare, direct].map((rate) => rate.toFixed(0));
  return [
    name,
    ...whole,
    `${((100 * ours) / bare).toFixed(0)} %`,
    `${(ours / direct).toFixed(2)}×`,
  ];
}

/** Kilobytes of a pooler's resident memory. */
function poolerKilobytes({ poolerPid }: Installation): number {
  const pid = poolerPid("transaction");
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

const availableMegabytes = () =>
  Number(/^MemAvailable:\s+(\d+)/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1]) / 1024;

/** Backends of the databases of these URLs at this moment. */
async function backendsOf({ system }: Installation, urls: readonly string[]): Promise<number> {
  const text = "select count(*)::int as n from pg_stat_activity where usename ~ '^usr_'";
  const counts = urls.map(async (url) => {
    const [row] = await operatorQuery(system, new URL(url).pathname.slice(1), text);
    return Number(row?.n);
  });
  return (await Promise.all(counts)).reduce((sum, each) => sum + each, 0);
}

async function oneDatabase(installation: Installation, clients: number): Promise<void> {
  const limits = { connections_max: clients, pool_size: backends };
  const { database_url: url } = await limited(installation, "Crowded", limits);
  const before = poolerKilobytes(installation);
  const crowd = await gather({ urls: [url], each: clients, seconds: crowdSeconds });
  const idle = ((poolerKilobytes(installation) - before) / clients) * (1000 / 1024);
  const served = await crowd.ask();
  const used = await backendsOf(installation, [url]);
  line(`${instances} instances × ${connectionsPerInstance} connections, a query every 4 s each`);
  table(
    ["connected", "refused", "failed", "p50 / p99 ms", "backends", "MB per 1,000 idle clients"],
    [
      [served.connected, served.refused, served.failed, spread(served), used, idle.toFixed(1)].map(
        String,
      ),
    ],
  );
}

async function fullHost(
  installation: Installation,
  tell: (done: number, of: number) => void,
): Promise<void> {
  const urls: string[] = [];
  for (let number = 1; number <= databases; number++) {
    tell(number, databases);
    urls.push((await createDatabase(installation, `Tenant ${number}`)).database_url);
  }
  const before = availableMegabytes();
  const crowd = await gather({ urls, each: 10, seconds: crowdSeconds });
  const served = await crowd.ask();
  const used = await backendsOf(installation, urls);
  const megabytes = before - availableMegabytes();
  line(`${databases} databases × 10 clients, a query every 4 s each`);
  table(
    ["connected", "refused", "failed", "p50 / p99 ms", "backends", "MB more in use"],
    [
      [
        served.connected,
        served.refused,
        served.failed,
        spread(served),
        used,
        megabytes.toFixed(0),
      ].map(String),
    ],
  );
}
