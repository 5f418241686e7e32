// A query over HTTPS, as an edge function asks it, beside the same query over TCP, both encrypted
// and both through the transaction pooler. HTTPS ends in a process before the host program, as it
// would in a load balancer.
import { fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { createServer, setDefaultCACertificates } from "node:tls";
import { neon, neonConfig } from "@neondatabase/serverless";
import pg from "pg";
import { callApi, createDatabase } from "./api.ts";
import { onEnd } from "./ending.ts";
import { type Installation, install } from "./installation.ts";
import type { Progress } from "./progress.ts";
import { line, ms, table } from "./report.ts";
import { size } from "./size.ts";
import { median, percentile, timed } from "./statistics.ts";

const rounds = size(5, 1);
const queriesPerRound = size(200, 5);
const text = "select id, name from item where id = $1";

export const parts = { queries: 25 };

/** `npm run bench -- serverless` */
export async function run({ part }: Progress): Promise<void> {
  const installation = await install();
  await part("queries", () => compare(installation));
}

/** Measures on a system that runs. */
export async function compare(installation: Installation): Promise<void> {
  const front = fork(import.meta.filename, ["front", tlsDirectoryOf(installation)]);
  onEnd(() => front.kill());
  await askInTurn(installation, front);
}

function tlsDirectoryOf({ directory }: Installation): string {
  return join(directory, "tls");
}

type Ask = (id: number) => Promise<unknown>;

async function askInTurn(installation: Installation, front: ReturnType<typeof fork>) {
  const { id, database_url: url } = await createDatabase(installation, "Edge");
  const credentials = await callApi(installation, "GET", `/databases/${id}/credentials`);
  front.send(new URL(credentials.database_http_url).port);
  const ended = once(front, "exit").then(([code]) => {
    throw new Error(`The process that ends TLS ended with ${code}.`);
  });
  const [port] = await Promise.race([once(front, "message"), ended]);
  ended.catch(() => undefined);
  const ca = readFileSync(join(tlsDirectoryOf(installation), "ca.crt"), "utf8");
  setDefaultCACertificates([ca]);
  const encrypted = { connectionString: url, ssl: { ca } };
  const client = new pg.Client(encrypted);
  await client.connect();
  await client.query("create table item (id int primary key, name text)");
  await client.query("insert into item select n, 'item ' || n from generate_series(1, 10000) n");
  neonConfig.fetchEndpoint = `https://127.0.0.1:${port}/sql`;
  const sql = neon(url);
  await report([
    ["TCP, a connection that is kept", (item) => client.query(text, [item])],
    ["TCP, a connection for each query", (item) => askOnce(encrypted, item)],
    ["HTTPS, `neon()`", (item) => sql.query(text, [item])],
  ]);
  await client.end();
}

async function askOnce(config: pg.ClientConfig, item: number): Promise<void> {
  const client = new pg.Client(config);
  await client.connect();
  await client.query(text, [item]).finally(() => client.end());
}

async function report(ways: readonly (readonly [string, Ask])[]): Promise<void> {
  const taken = new Map(ways.map(([name]) => [name, [] as number[]]));
  for (const [, ask] of ways) for (let item = 0; item < 20; item++) await ask(item);
  for (let round = 0; round < rounds; round++) {
    for (let query = 0; query < queriesPerRound; query++) {
      for (const [name, ask] of ways) {
        taken.get(name)?.push((await timed(() => ask(query))).milliseconds);
      }
    }
  }
  const [reference = []] = taken.values();
  const rows = [...taken].map(([name, values]) => [
    name,
    ms(median(values)),
    ms(percentile(values, 99)),
    `${(median(values) / median(reference)).toFixed(1)}×`,
  ]);
  line(`One row by its key, ${rounds * queriesPerRound} queries each, in turn (ms)`);
  table(["way", "p50", "p99", "of the first"], rows);
}

/** Ends TLS for whoever is told the port. */
function serveFront(directory: string): void {
  const read = (name: string) => readFileSync(join(directory, name));
  process.once("message", (port: string) => {
    const options = { cert: read("server.crt"), key: read("server.key") };
    const server = createServer(options, (outside) => {
      const inside = connect({ host: "127.0.0.1", port: Number(port), noDelay: true });
      outside.setNoDelay(true);
      outside.pipe(inside).pipe(outside);
      outside.on("error", () => inside.destroy());
      inside.on("error", () => outside.destroy());
    });
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      process.send?.(typeof address === "object" ? address?.port : undefined);
    });
  });
}

const [, , role, directory] = process.argv;
if (role === "front" && directory !== undefined) serveFront(directory);
