// A database whose cluster was never reached is made on another one.
import { eq } from "drizzle-orm";
import { beforeEach, expect, it } from "vitest";
import { cluster } from "../../src/cluster/table.ts";
import { Unreached } from "../../src/core/error.ts";
import { database } from "../../src/database/table.ts";
import { createTestApi, type TestApi } from "../support/api.ts";
import { clusterId } from "../support/seed.ts";

const other = "00000000-0000-4000-8000-000000000001";

let api: TestApi;
/** Clusters that are not reached. */
let away: Set<string>;
beforeEach(async () => {
  api = await createTestApi();
  away = new Set();
  const { createDatabase } = api.context.cluster;
  Object.assign(api.context.cluster, {
    createDatabase: async (id: string, spec: Parameters<typeof createDatabase>[1]) => {
      if (away.has(id)) throw new Unreached("The cluster was not reached.");
      return createDatabase(id, spec);
    },
  });
});

const register = () =>
  api.call("POST", "/api/v1/admin/clusters", {
    body: {
      ...{ id: other, name: "other", host_url: "https://eu-1.example.com", databases_max: 300 },
      ...{ public_host: "eu-1.example.com", transaction_port: 1, session_port: 2 },
      ...{ control_user: "miosa_control", control_password: "a password only tests know" },
    },
  });
const create = () =>
  api.call("POST", "/api/v1/projects", { body: { name: "P", data: { postgres: true } } });
const counts = async () =>
  (await api.context.db.select().from(cluster)).map((row) => [row.databasesCount, row.id]);

it("at once, with its place; the silent one takes none until it answers", async () => {
  await register();
  away.add(clusterId);
  const { body } = await create();
  expect(body.data.databases[0]).toMatchObject({ state: "running", region: "other" });
  expect(await counts()).toEqual([
    [0, clusterId],
    [1, other],
  ]);
  const [silent] = await api.context.db.select().from(cluster).where(eq(cluster.id, clusterId));
  expect(silent?.silentSince).not.toBeNull();
});

it("waits for its own where there is no other, and is made there", async () => {
  away.add(clusterId);
  const { body } = await create();
  expect(body.data.databases[0].state).toBe("provisioning");
  away.clear();
  api.clock.advance(60);
  await api.context.drive(`project:${body.data.id}`, 1000);
  const [row] = await api.context.db.select().from(database);
  expect([row?.state, row?.clusterId]).toEqual(["running", clusterId]);
});

it("is not made elsewhere once an attempt may have begun it", async () => {
  await register();
  api.cluster.failAt(1, "after");
  const { body } = await create();
  away.add(clusterId);
  api.clock.advance(60);
  await api.context.drive(`project:${body.data.id}`, 1000);
  const [row] = await api.context.db.select().from(database);
  expect([row?.state, row?.clusterId]).toEqual(["provisioning", clusterId]);
});
