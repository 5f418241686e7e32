// A host that is full, with all its tenants at work at once.
import type { Client } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { call, connected, createProject } from "../support/client.ts";
import { operatorQuery } from "../support/operator.ts";
import { type OwnSystem, startSystem } from "../support/system.ts";

const databasesMax = 4;
const backendsMax = 8 * databasesMax;

let system: OwnSystem;
// biome-ignore lint/suspicious/noExplicitAny: tests read whatever JSON came.
let databases: any[];

beforeAll(async () => {
  system = await startSystem({ backendsMax });
  databases = [];
  for (let number = 1; number <= databasesMax; number++) {
    databases.push((await createProject(system, { name: `Tenant ${number}` })).database);
  }
});

afterAll(() => system?.remove());

test("no more databases come in than its backends carry, and none grows", async () => {
  const body = { name: "One more", data: { postgres: true } };
  const refused = await call(system, "POST", "/projects", { body });
  expect([refused.status, refused.body.error.code]).toEqual([503, "NO_CAPACITY"]);
  const path = `/databases/${databases[0].id}`;
  const grown = await call(system, "PATCH", path, { body: { size: "medium" } });
  expect([grown.status, grown.body.error.code]).toEqual([409, "NO_CAPACITY"]);
  expect(grown.body.error.message).toMatch(/8 backends more; the host has 0 of its 32/);
  expect((await call(system, "GET", path)).body.data.size).toBe("small");
});

test("every client within its limits is served while all are at work", async () => {
  const opened: Client[] = [];
  const open = async (url: string, count: number) => {
    const clients = await Promise.all(Array.from({ length: count }, () => connected(url)));
    opened.push(...clients);
    return clients;
  };
  // Sessions hold their backends the whole time.
  const sessions = [];
  for (const { database_url_session: url } of databases) sessions.push(...(await open(url, 4)));
  await Promise.all(sessions.map((client) => client.query("listen news")));
  const clients = [];
  for (const { database_url: url } of databases) clients.push(...(await open(url, 100)));
  const work = async (client: Client) => {
    for (let turn = 0; turn < 3; turn++) {
      await client.query("begin");
      await client.query("select pg_sleep(0.05)");
      await client.query("commit");
    }
    return true;
  };
  const served = await Promise.all(clients.map(work));
  expect(served).toHaveLength(100 * databasesMax);
  const text = "select count(*)::int as busy from pg_stat_activity where usename ~ '^usr_'";
  for (const { database } of databases) {
    expect(await operatorQuery(system, database, text)).toEqual([{ busy: 8 }]);
  }
  await Promise.all(opened.map((client) => client.end()));
});
