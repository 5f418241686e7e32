// What 150 strangers and 8 greedy tenants at the host program's doors cost it and a quiet
// neighbour, beside a bare HTTP server on the same machine, asked in turn: that one shows what the
// machine itself has left.
import { fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { createDatabase } from "./api.ts";
import { onEnd } from "./ending.ts";
import { type Installation, install } from "./installation.ts";
import type { Progress } from "./progress.ts";
import { line, ms, table } from "./report.ts";
import { size } from "./size.ts";
import { percentile, timed } from "./statistics.ts";

const strangers = size(150, 10);
const tenants = size(8, 1);
const requestsOfTenant = 6;
const seconds = size(30, 1);
const rounds = size(3, 1);
const pauseMilliseconds = 10;
const memoryMilliseconds = 50;
const manyRows = size(9_000_000, 100_000);
const bodyBytes = 3_900_000;
const messageBytes = 16 * 1024 * 1024;

export const parts = { quiet: 40, strangers: 100, "greedy tenants": 100, both: 100 };

/** `npm run bench -- doors` */
export async function run({ part }: Progress): Promise<void> {
  const installation = await install(300);
  const bare = await startBare();
  const made = await Promise.all(
    Array.from({ length: tenants + 1 }, (_, at) => createDatabase(installation, `Door ${at}`)),
  );
  const [quiet = "", ...greedy] = made.map(({ database_url }) => String(database_url));
  const place = { hostUrl: installation.hostUrl, greedy };
  const measure = (order: Order | null) => neighbour(installation, [quiet, bare], order);
  const rows = [
    ["nobody", await part("quiet", () => measure(null))] as const,
    ["strangers", await part("strangers", () => measure({ ...place, strangers, tenants: 0 }))],
    ["greedy", await part("greedy tenants", () => measure({ ...place, strangers: 0, tenants }))],
    ["both", await part("both", () => measure({ ...place, strangers, tenants }))],
  ] as const;
  line(`${strangers} strangers, ${tenants} greedy tenants, ${rounds} × ${seconds} s each (ms)`);
  table(
    ["beside", "query p50", "query p99", "bare HTTP p50", "bare HTTP p99", "host MB at most"],
    rows.map(([name, { queries, bares, megabytes }]) => [
      name,
      ...[queries, bares].flatMap((taken) => [50, 99].map((p) => ms(percentile(taken, p)))),
      megabytes.toFixed(0),
    ]),
  );
}

/** A server that answers nothing but that it is there. */
async function startBare(): Promise<string> {
  const server = createServer((_, response) => response.end("{}"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

interface Order {
  readonly hostUrl: string;
  readonly greedy: readonly string[];
  readonly strangers: number;
  readonly tenants: number;
}

interface Taken {
  readonly queries: number[];
  readonly bares: number[];
  readonly megabytes: number;
}

/** What one quiet tenant sees while a load is on. */
async function neighbour(
  { hostUrl, hostPid }: Installation,
  [url, bare]: readonly [string, string],
  order: Order | null,
): Promise<Taken> {
  const [queries, bares]: [number[], number[]] = [[], []];
  let megabytes = 0;
  const watch = setInterval(() => {
    megabytes = Math.max(megabytes, residentMegabytes(hostPid()));
  }, memoryMilliseconds);
  for (let round = 0; round < rounds; round++) {
    const stop = order === null ? () => undefined : startLoad(order);
    await delay(size(2000, 100));
    const until = Date.now() + seconds * 1000;
    while (Date.now() < until) {
      const asked = await timed(() => ask(hostUrl, url, "select 1", []));
      if (asked.result !== 200) throw new Error(`The neighbour was answered ${asked.result}.`);
      queries.push(asked.milliseconds);
      const fetched = await timed(async () => (await fetch(bare)).text());
      bares.push(fetched.milliseconds);
      await delay(pauseMilliseconds);
    }
    stop();
  }
  clearInterval(watch);
  return { queries, bares, megabytes };
}

function residentMegabytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024;
}

function startLoad(order: Order): () => void {
  const child = fork(import.meta.filename, ["load"]);
  onEnd(() => child.kill("SIGKILL"));
  child.send(order);
  return () => child.kill("SIGKILL");
}

/** The status of one query over HTTP; 0 when the connection broke. */
async function ask(host: string, url: string, query: string, params: unknown[]): Promise<number> {
  const response = await fetch(new URL("/sql", host), {
    method: "POST",
    headers: { "neon-connection-string": url, "neon-array-mode": "true" },
    body: JSON.stringify({ query, params }),
  });
  await response.arrayBuffer();
  return response.status;
}

/** Opens a WebSocket and sends most of one long message, until it is ended. */
function sendUnfinished(host: URL, poolerPort: string): Promise<void> {
  const head = Buffer.alloc(14);
  [head[0], head[1]] = [0x82, 0xff];
  head.writeBigUInt64BE(BigInt(messageBytes), 2);
  const piece = Buffer.alloc(256 * 1024, 1);
  return new Promise((resolve) => {
    const socket = connect(Number(host.port), host.hostname);
    let left = messageBytes - 1;
    const go = () => {
      while (left > 0 && !socket.destroyed) {
        left -= piece.length;
        if (!socket.write(piece)) return void socket.once("drain", go);
      }
    };
    socket.once("data", () => {
      socket.write(head);
      go();
    });
    // The host ends it: that is what is measured.
    socket.on("error", () => undefined).once("close", () => resolve());
    const lines = [
      `GET /v2?address=x:${poolerPort} HTTP/1.1`,
      ...["Host: x", "Upgrade: websocket", "Connection: Upgrade"],
      ...["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "", ""],
    ];
    socket.write(lines.join("\r\n"));
  });
}

async function beStranger(at: number, { hostUrl, greedy }: Order): Promise<void> {
  const url = new URL(greedy[at % greedy.length] ?? "");
  for (;;) {
    if (at % 2 === 0) {
      await sendUnfinished(new URL(hostUrl), url.port);
    } else {
      url.password = `wrong${Math.random()}`;
      await ask(hostUrl, url.href, "x".repeat(1_000_000), []).catch(() => 0);
    }
    await delay(1000);
  }
}

const greed: readonly (readonly [query: string, hasBody: boolean])[] = [
  [`select from generate_series(1, ${manyRows})`, false],
  ["select repeat('y', 1000) from generate_series(1, 14000)", false],
  ["select length($1)", true],
];

async function beGreedy(at: number, { hostUrl, greedy }: Order): Promise<void> {
  const [query = "", hasBody = false] = greed[at % greed.length] ?? [];
  const params = hasBody ? ["x".repeat(bodyBytes)] : [];
  for (;;) await ask(hostUrl, greedy[at % greedy.length] ?? "", query, params).catch(() => 0);
}

async function load(): Promise<void> {
  const [order] = (await once(process, "message")) as [Order];
  for (let at = 0; at < order.strangers; at++) void beStranger(at, order);
  const requests = requestsOfTenant * order.tenants;
  for (let at = 0; at < requests; at++) void beGreedy(at, order);
}

if (process.argv[2] === "load") {
  process.once("disconnect", () => process.exit());
  await load();
}
