// A hostile tenant's clients, in a process of their own: node storm.ts NAME URL. They run below
// everything else, since a tenant's clients take none of the host's cores.
import { setPriority } from "node:os";
import { pathToFileURL } from "node:url";
import { query } from "./client.ts";

type Work = (url: string, number: number) => Promise<unknown>;

/** What each of so many connections does again and again. */
export interface Storm {
  readonly connections: number;
  readonly work: Work;
}

const run =
  (text: string): Work =>
  (url) =>
    query(url, text);
const rows = (count: number) => `generate_series(1, ${count}) as n`;

/** Storms at the limits of the size small, by what such a tenant does. */
export const storms = {
  "logs in and out": { connections: 20, work: run("select 1") },
  "logs in with a wrong password": {
    connections: 20,
    work: (url) => query(url.replace(/:[^:@]+@/, ":wrong@"), "select 1"),
  },
  "holds all its connections": { connections: 99, work: run("select pg_sleep(0.2)") },
  computes: { connections: 8, work: run(`select sum(sqrt(n)) from ${rows(3_000_000)}`) },
  "fills its memory": {
    connections: 8,
    work: run(`select count(*) from (select array_agg(n) from ${rows(3_000_000)}) as a`),
  },
  "writes temporary files": {
    connections: 4,
    work: run(`select count(*) from (select n from ${rows(4_000_000)} order by -n) as a`),
  },
  "writes its disk": {
    connections: 4,
    work: (url, number) =>
      query(
        url,
        `drop table if exists t${number}; create table t${number} as
          select n, repeat('x', 500) as text from ${rows(60_000)}`,
      ),
  },
  "commits single rows": {
    connections: 20,
    work: async (url) => {
      await query(url, "create table if not exists single (n int)");
      await query(url, "insert into single select 1");
    },
  },
  "notifies everybody": {
    connections: 4,
    work: run(`select pg_notify('c', n || repeat('x', 7000)) from ${rows(500)}`),
  },
} as const satisfies Readonly<Record<string, Storm>>;

async function rage(name: keyof typeof storms, url: string): Promise<void> {
  setPriority(19);
  const { connections, work } = storms[name];
  const one = async (_: unknown, number: number) => {
    for (;;) await work(url, number).catch(() => undefined);
  };
  process.send?.("begun");
  await Promise.all(Array.from({ length: connections }, one));
}

const [, file = "", name = "", url = ""] = process.argv;
if (import.meta.url === pathToFileURL(file).href) await rage(name as keyof typeof storms, url);
