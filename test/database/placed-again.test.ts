// A database whose host was never reached is made on another one.
import { eq } from "drizzle-orm";
import { beforeEach, expect, it } from "vitest";
import { database } from "../../src/database/table.ts";
import { host } from "../../src/host/table.ts";
import { createTestApi, type TestApi } from "../support/api.ts";
import { hostId } from "../support/seed.ts";

const other = "00000000-0000-4000-8000-000000000001";

let api: TestApi;
/** Hosts that are not reached. */
let away: Set<string>;
beforeEach(async () => {
  api = await createTestApi();
  away = api.host.things.away;
});

const register = () =>
  api.call("POST", "/api/v1/admin/hosts", {
    body: {
      ...{ id: other, name: "other", host_url: "https://eu-1.example.com", databases_max: 300 },
      ...{ public_host: "eu-1.example.com", transaction_port: 1, session_port: 2 },
    },
  });
const create = () =>
  api.call("POST", "/api/v1/projects", { body: { name: "P", data: { postgres: true } } });
const counts = async () =>
  (await api.context.db.select().from(host)).map((row) => [row.databasesCount, row.id]);

it("at once, with its place; the silent one takes none until it answers", async () => {
  await register();
  away.add(hostId);
  const { body } = await create();
  expect(body.data.databases[0]).toMatchObject({ state: "running", region: "other" });
  expect(await counts()).toEqual([
    [0, hostId],
    [1, other],
  ]);
  const [silent] = await api.context.db.select().from(host).where(eq(host.id, hostId));
  expect(silent?.silentSince).not.toBeNull();
});

it("waits for its own where there is no other, and is made there", async () => {
  away.add(hostId);
  const { body } = await create();
  expect(body.data.databases[0].state).toBe("provisioning");
  away.clear();
  api.clock.advance(60);
  await api.context.drive(`project:${body.data.id}`, 1000);
  const [row] = await api.context.db.select().from(database);
  expect([row?.state, row?.hostId]).toEqual(["running", hostId]);
});

it("is not made elsewhere once an attempt may have begun it", async () => {
  await register();
  api.host.failAt(2, "after");
  const { body } = await create();
  away.add(hostId);
  api.clock.advance(60);
  await api.context.drive(`project:${body.data.id}`, 1000);
  const [row] = await api.context.db.select().from(database);
  expect([row?.state, row?.hostId]).toEqual(["provisioning", hostId]);
});
