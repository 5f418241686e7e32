// What a host counts of its databases, with real Postgres and PgBouncer: each its own numbers, and
// next to no work for those that rest.
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type MetricParts, openMetrics } from "../../host/observe/metric.ts";
import type { MetricPoint } from "../../src/contract/metric.ts";
import { openTestDatabases, type TestDatabase } from "../support/databases.ts";

let host: Awaited<ReturnType<typeof openTestDatabases>>;
let one: TestDatabase;
let two: TestDatabase;
/** Milliseconds since 1970, which only this test moves. */
let now = Date.UTC(2026, 10, 28, 12);
let questions = 0;

const open = (more: Partial<MetricParts> = {}) => {
  const { fleet, keeper, poolers } = host;
  const counted = [poolers.transaction, poolers.session].map(({ console }) => ({
    query: (text: string) => {
      questions++;
      return console.query(text);
    },
  })) as unknown as ReturnType<MetricParts["consoles"]>;
  return openMetrics({
    ...{ fleet, keeper, now: () => now, directory: join(fleet.directory, "metric") },
    databases: () => [one.name, two.name],
    consoles: () => counted,
    sizeOf: (database) => (database === one.name ? 8_000_000 : null),
    ...more,
  });
};
let metrics: ReturnType<typeof open>;

const points = async ({ name: database }: TestDatabase): Promise<readonly MetricPoint[]> =>
  (await metrics.handlers["database.metrics"]({ database, window_seconds: 3600 })).points;
type Counted = "transactions" | "errors" | "blocks_hit" | "slow_statements" | "rollbacks";
const sum = async (who: TestDatabase, what: Counted) =>
  (await points(who)).reduce((total, point) => total + point[what], 0);

/** The look that comes after so many seconds. */
async function look(seconds = 15): Promise<void> {
  now += seconds * 1000;
  await metrics.look();
}

beforeAll(async () => {
  host = await openTestDatabases();
  one = await host.create("proj_test_one");
  two = await host.create("proj_test_two");
  metrics = open();
  await look();
});
afterAll(() => host?.stop());

test("numbers are the database's own: work, errors, connections and size", async () => {
  const client = await host.connect(one);
  await client.query("create table t as select generate_series(1, 9) n");
  for (let n = 0; n < 20; n++) await client.query("select count(*) from t");
  await client.query("select nobody_has_this").catch(() => undefined);
  await client.query("select pg_sleep(1.1)");
  const answered = async () => {
    // Half a minute: those who were active are asked again.
    await look(30);
    return sum(one, "transactions");
  };
  await expect.poll(answered, { timeout: 40_000, interval: 1000 }).toBeGreaterThan(20);
  expect(await sum(one, "errors")).toBe(1);
  expect(await sum(one, "rollbacks")).toBe(1);
  expect(await sum(one, "slow_statements")).toBe(1);
  expect(await sum(one, "blocks_hit")).toBeGreaterThan(20);
  const last = (await points(one)).at(-1);
  expect(last).toMatchObject({ client_connections: 1, waiting_clients: 0, size_bytes: 8_000_000 });
  expect(last?.server_connections).toBeGreaterThan(0);
  expect(await points(one)).toHaveLength(61);
  expect([await sum(two, "transactions"), await sum(two, "errors")]).toEqual([0, 0]);
  await client.end();
});

test("nobody is asked who rests, and nobody is woken", async () => {
  const asked = async () => {
    const { rows } = await host.connect(two).then(async (client) => {
      const text = "select sessions::int as n from pg_stat_database where datname = 'postgres'";
      return client.query(text).finally(() => client.end());
    });
    return rows[0].n;
  };
  const { name } = host.keeper.live(one.name).record;
  await host.keeper.sleep(name);
  // What this test itself asks is activity: what follows from it is over after two looks.
  const before = await asked();
  for (let n = 0; n < 4; n++) await look(30);
  const since = (await asked()) - before;
  expect(since).toBeLessThanOrEqual(2);
  questions = 0;
  for (let n = 0; n < 10; n++) await look(30);
  expect(questions).toBe(10 * 2 * 2);
  // Two that follow from this test's last question.
  expect((await asked()) - before - since).toBeLessThanOrEqual(2);
  expect(host.keeper.live(one.name).server).toBeUndefined();
  expect((await points(one)).at(-1)).toMatchObject({
    client_connections: 0,
    server_connections: 0,
    size_bytes: 8_000_000,
  });
});

test("what was done while no host program looked is counted by the next one", async () => {
  const client = await host.connect(one);
  await client.query("select 1");
  await look(30);
  await look(30);
  const before = await sum(one, "transactions");
  for (let n = 0; n < 50; n++) await client.query("select 1");
  await client.end();
  metrics = open();
  const text = "select 2";
  const answered = async () => {
    const again = await host.connect(one);
    await look(30);
    await again.query(text);
    await again.end();
    await look(30);
    return (await sum(one, "transactions")) - before;
  };
  await expect.poll(answered, { timeout: 40_000, interval: 1000 }).toBeGreaterThanOrEqual(50);
});

test("a restore brings no numbers of the past", async () => {
  await host.databases.backUp(one.name, "full");
  await look(60);
  const before = await sum(one, "transactions");
  const former = await host.databases.restore(one.name, { latest: true });
  await look(60);
  await host.databases.bringBack(one.name, former);
  await look(60);
  expect((await sum(one, "transactions")) - before).toBeLessThan(50);
});

test("one that is gone is forgotten", async () => {
  await look(60);
  metrics = open({ databases: () => [two.name] });
  for (let n = 0; n < 3; n++) await look(60);
  expect(await sum(one, "transactions")).toBe(0);
});
