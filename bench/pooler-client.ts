// Many clients of a pooler at once, in processes of their own: each asks every four seconds.
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { onEnd } from "./ending.ts";
import { percentile, timed } from "./statistics.ts";

/** What became of them. */
export interface Served {
  readonly connected: number;
  readonly refused: number;
  /** Queries that failed. */
  readonly failed: number;
  /** Milliseconds of each answered query. */
  readonly milliseconds: readonly number[];
}

interface Order {
  readonly urls: readonly string[];
  /** Clients of each URL. */
  readonly each: number;
  readonly seconds: number;
}

const atOnce = 50;
const processes = 4;
const everyMilliseconds = 4000;

/** Clients that are connected, and wait for their start. */
export interface Crowd {
  /** Has each ask once a second; resolves to what became of them when they have gone. */
  ask(): Promise<Served>;
}

/** Connects `each` clients to every URL, spread over a few processes. */
export async function gather({ urls, each, seconds }: Order): Promise<Crowd> {
  const shares = Array.from({ length: processes }, (_, at) => ({
    urls: urls.length >= processes ? urls.filter((_, n) => n % processes === at) : urls,
    each: urls.length >= processes ? each : each / processes,
    seconds,
  }));
  const children = shares.map(() => fork(fileURLToPath(import.meta.url), ["crowd"]));
  onEnd(() => {
    for (const child of children) child.kill("SIGKILL");
  });
  const heard = children.map((child) => once(child, "message"));
  children.forEach((child, at) => {
    child.send(shares[at] ?? {});
  });
  await Promise.all(heard);
  return {
    async ask() {
      const answers = children.map((child) => once(child, "message"));
      for (const child of children) child.send("ask");
      const all = (await Promise.all(answers)).map(([served]) => served as Served);
      const sum = (count: (served: Served) => number) =>
        all.reduce((total, served) => total + count(served), 0);
      return {
        connected: sum(({ connected }) => connected),
        refused: sum(({ refused }) => refused),
        failed: sum(({ failed }) => failed),
        milliseconds: all.flatMap(({ milliseconds }) => milliseconds),
      };
    },
  };
}

/** `p50 / p99` in milliseconds. */
export function spread({ milliseconds }: Served): string {
  return [50, 99].map((p) => percentile(milliseconds, p).toFixed(1)).join(" / ");
}

async function connectAll({ urls, each }: Order) {
  const wanted = urls.flatMap((url) => Array.from({ length: each }, () => url));
  const clients: pg.Client[] = [];
  let refused = 0;
  const worker = async () => {
    for (let url = wanted.pop(); url !== undefined; url = wanted.pop()) {
      const client = new pg.Client(url);
      client.on("error", () => undefined);
      const isIn = await client.connect().then(
        () => true,
        () => false,
      );
      if (isIn) clients.push(client);
      else refused++;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return { clients, refused };
}

async function askAll(clients: readonly pg.Client[], seconds: number) {
  const milliseconds: number[] = [];
  let failed = 0;
  const one = async (client: pg.Client, at: number) => {
    const start = performance.now() + (at / clients.length) * everyMilliseconds;
    for (let turn = 0; turn * everyMilliseconds < seconds * 1000; turn++) {
      const wait = start + turn * everyMilliseconds - performance.now();
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, wait)));
      const asked = await timed(() => client.query("select 1").catch(() => null));
      if (asked.result === null) failed++;
      else milliseconds.push(asked.milliseconds);
    }
  };
  await Promise.all(clients.map(one));
  return { milliseconds, failed };
}

async function beCrowd(): Promise<void> {
  const [order] = (await once(process, "message")) as [Order];
  const { clients, refused } = await connectAll(order);
  process.send?.("connected");
  await once(process, "message");
  const asked = await askAll(clients, order.seconds);
  const served: Served = { connected: clients.length, refused, ...asked };
  await new Promise((resolve) => process.send?.(served, undefined, {}, resolve));
  process.exit();
}

if (process.argv[2] === "crowd") await beCrowd();
