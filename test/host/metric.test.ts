import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createMetrics } from "../../host/metric.ts";
import { openMetricFiles } from "../../host/metric-file.ts";
import { createMetricLook } from "../../host/metric-look.ts";
import type { Session } from "../../host/session.ts";
import { aCluster } from "../support/host-database.ts";

let directory: string;
let now: number;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "miosa-metric-"));
  now = Date.UTC(2026, 0, 1);
});
afterEach(() => rmSync(directory, { recursive: true }));

/** What Postgres would count, and how large it would say a database is. */
function aPostgres() {
  const rows = new Map<string, { transactions: number; deadlocks: number; bytes: number }>();
  const control: Session = {
    async query<Row>(text: string) {
      const all = [...rows].map(([database, row]) => ({
        database,
        rollbacks: 0,
        blocks_hit: 0,
        blocks_read: 0,
        temporary_bytes: 0,
        backends: 0,
        ...row,
      }));
      return all.filter(({ database }) => {
        return text.includes("pg_stat_database") || text.includes(`'${database}'`);
      }) as Row[];
    },
    close: async () => undefined,
  };
  return { rows, control };
}

function start(postgres: ReturnType<typeof aPostgres>) {
  const errors = new Map<string, number>();
  const { poolers, transaction } = aCluster();
  const countErrors = async () => {
    const counts = new Map(errors);
    errors.clear();
    return counts;
  };
  const looking = createMetricLook({ control: postgres.control, poolers, countErrors });
  const metrics = createMetrics(looking, openMetricFiles(directory), () => now);
  const look = async (seconds = 15) => {
    await metrics.look();
    now += seconds * 1000;
  };
  const counts = async (name: "transactions" | "deadlocks" | "errors", database = "proj_a") =>
    (await metrics.of(database, 3600)).reduce((sum, point) => sum + point[name], 0);
  return { metrics, looking, look, counts, errors, clients: transaction.clients };
}

test("what Postgres counts between looks is told, and never a number below nothing", async () => {
  const postgres = aPostgres();
  postgres.rows.set("proj_a", { transactions: 1000, deadlocks: 3, bytes: 10 });
  const host = start(postgres);
  await host.look();
  expect(await host.counts("transactions")).toBe(0);
  postgres.rows.set("proj_a", { transactions: 1010, deadlocks: 3, bytes: 10 });
  host.errors.set("proj_a", 2);
  await host.look();
  expect([await host.counts("transactions"), await host.counts("errors")]).toEqual([10, 2]);
  // A crash: it counts from nothing.
  postgres.rows.set("proj_a", { transactions: 4, deadlocks: 1, bytes: 10 });
  await host.look();
  expect([await host.counts("transactions"), await host.counts("deadlocks")]).toEqual([14, 1]);
  postgres.rows.set("proj_b", { transactions: 6, deadlocks: 0, bytes: 10 });
  await host.look();
  expect(await host.counts("transactions", "proj_b")).toBe(6);
});

test("what was kept outlives the program, and a minute without anything is not kept", async () => {
  const postgres = aPostgres();
  postgres.rows.set("proj_a", { transactions: 1, deadlocks: 0, bytes: 10 });
  const host = start(postgres);
  host.clients.set("proj_a", { clients: 3, waiting: 1, busy: 2 });
  await host.look();
  postgres.rows.set("proj_a", { transactions: 8, deadlocks: 0, bytes: 50 });
  for (let n = 0; n < 5; n++) await host.look();
  const bytes = () => statSync(join(directory, "proj_a.jsonl")).size;
  const before = bytes();
  for (let n = 0; n < 40; n++) await host.look();
  expect(bytes()).toBe(before);
  const next = start(postgres);
  expect(await next.counts("transactions")).toBe(7);
  expect((await next.metrics.of("proj_a", 60)).at(-1)).toMatchObject({
    size_bytes: 50,
    client_connections: 3,
    waiting_clients: 1,
  });
});

test("a dropped database loses its file, one that is away for a moment does not", async () => {
  const postgres = aPostgres();
  for (const name of ["proj_a", "proj_b"]) {
    postgres.rows.set(name, { transactions: 1, deadlocks: 0, bytes: 10 });
  }
  const host = start(postgres);
  await host.look(60);
  await host.look(60);
  expect(readdirSync(directory)).toHaveLength(2);
  const away = postgres.rows.get("proj_a");
  postgres.rows.clear();
  await host.look(60);
  postgres.rows.set("proj_a", away ?? { transactions: 1, deadlocks: 0, bytes: 10 });
  await host.look(60);
  await host.look(60);
  expect(readdirSync(directory)).toEqual(["proj_a.jsonl"]);
});

test("a look that failed loses nothing", async () => {
  const postgres = aPostgres();
  postgres.rows.set("proj_a", { transactions: 1, deadlocks: 0, bytes: 10 });
  const host = start(postgres);
  await host.look();
  host.looking.countSlow("proj_a");
  const { query } = postgres.control;
  postgres.control.query = () => Promise.reject(new Error("Postgres is away."));
  await expect(host.look()).rejects.toThrow();
  postgres.control.query = query;
  postgres.rows.set("proj_a", { transactions: 5, deadlocks: 0, bytes: 10 });
  await host.look();
  expect(await host.counts("transactions")).toBe(4);
  const points = await host.metrics.of("proj_a", 60);
  expect(points.at(-1)?.slow_statements).toBe(1);
});
