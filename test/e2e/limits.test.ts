// The limits of the three sizes as the README prints them, on the real stack.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { call, connected, createProject, withSql } from "../support/client.ts";
import { system } from "../support/shared-system.ts";

const readme = readFileSync(resolve(import.meta.dirname, "../../README.md"), "utf8");
const megabyte = 1024 ** 2;
/** Postgres has no longer value, whatever the memory. */
const valueBytesMax = 1000 * megabyte;

/** One row of the printed table, in the API's units. */
interface PrintedLimits {
  readonly size: string;
  readonly storageMegabytes: number;
  readonly connections: number;
  readonly memoryMegabytes: number;
}

function megabytesOf(text: string): number {
  const [, amount, unit] = /^(\d+) (MB|GB)$/.exec(text) ?? [];
  if (amount === undefined) throw new Error(`Not an amount: ${text}`);
  return Number(amount) * (unit === "GB" ? 1024 : 1);
}

function printedLimits(): PrintedLimits[] {
  const [, table = ""] = readme.split("| Tier | Storage | Connections (PgBouncer) | Memory |\n");
  const rows = table.split("\n\n")[0]?.split("\n").slice(1) ?? [];
  return rows.map((row) => {
    const [, size = "", storage = "", connections = "", memory = ""] = row.split(/ *\| */);
    return {
      size,
      storageMegabytes: megabytesOf(storage),
      connections: Number(connections),
      memoryMegabytes: megabytesOf(memory),
    };
  });
}

/** Opens one connection more than `count`: how many were let in, and why the others were not. */
async function fill(url: string, count: number) {
  const results = await Promise.allSettled(Array.from({ length: count + 1 }, () => connected(url)));
  const clients = results.flatMap((result) => (result.status === "fulfilled" ? result.value : []));
  await Promise.all(clients.map((client) => client.end()));
  const refusals = results.flatMap((result) =>
    result.status === "rejected" ? String(result.reason) : [],
  );
  return { connections: clients.length, refusals };
}

test("the page prints three sizes", () => {
  expect(printedLimits().map(({ size }) => size)).toEqual(["small", "medium", "large"]);
});

describe.each(printedLimits())("size $size", (printed) => {
  // biome-ignore lint/suspicious/noExplicitAny: tests read whatever JSON came.
  let database: any;
  beforeAll(async () => {
    const data = { postgres: { size: printed.size } };
    ({ database } = await createProject(system, { name: `Limits ${printed.size}`, data }));
  });

  test("has the printed numbers in the API", async () => {
    const { body } = await call(system, "GET", `/databases/${database.id}`);
    expect(body.data).toMatchObject({
      size: printed.size,
      storage_mb: printed.storageMegabytes,
      memory_mb: printed.memoryMegabytes,
      connections_max: printed.connections,
    });
  });

  test("takes exactly its connections; one more is refused with words", async () => {
    const { connections, refusals } = await fill(database.database_url, printed.connections);
    expect(connections).toBe(printed.connections);
    expect(refusals).toEqual([expect.stringMatching(/connections exceeded/)]);
  });

  test("takes exactly its sessions on the session port", async () => {
    const { body } = await call(system, "GET", `/databases/${database.id}`);
    const { session_connections_max: sessionsMax } = body.data;
    const { connections, refusals } = await fill(database.database_url_session, sessionsMax);
    expect(connections).toBe(sessionsMax);
    expect(refusals).toEqual([expect.stringMatching(/connections exceeded/)]);
  });

  test("gives one query half of its memory; more is out of memory", async () => {
    const half = (printed.memoryMegabytes / 2) * megabyte;
    await withSql(database.database_url, async (client) => {
      // Volatile: what the planner works out beforehand it holds twice.
      const text = "select length(repeat('x', $1::int + (random() * 0)::int)) as bytes";
      const allocate = (bytes: number) => client.query(text, [Math.round(bytes)]);
      const fits = () => allocate(Math.min(half * 0.8, valueBytesMax)).catch(String);
      await expect.poll(fits, { timeout: 30_000 }).toMatchObject({ rowCount: 1 });
      if (half > valueBytesMax) return;
      await expect(allocate(half)).rejects.toMatchObject({ code: "53200" });
      expect((await client.query("select 1 as n")).rows).toEqual([{ n: 1 }]);
    });
  });
});

test("a small database indexes and groups a million rows within its memory", async () => {
  const { database } = await createProject(system, { name: "Million" });
  await withSql(database.database_url, async (client) => {
    await client.query(
      "create table many as select n, md5(n::text) as text from generate_series(1, 1000000) as n",
    );
    await client.query("alter table many add primary key (n)");
    await client.query("create index on many (text)");
    const { rows } = await client.query(
      "select count(*)::int as n from (select text from many group by text order by text) as g",
    );
    expect(rows).toEqual([{ n: 1_000_000 }]);
  });
});
