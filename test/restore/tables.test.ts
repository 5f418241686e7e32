import { beforeEach, describe, expect, it } from "vitest";
import { createTestApi, type TestApi } from "../support/api.ts";
import { runToEnd } from "../support/run.ts";

let api: TestApi;
let lane: string;
let path: string;
let databaseName: string;

beforeEach(async () => {
  api = await createTestApi();
  const body = { name: "Smile Dental", data: { postgres: true } };
  const { data } = (await api.call("POST", "/api/v1/projects", { body })).body;
  lane = `project:${data.id}`;
  path = `/api/v1/databases/${data.databases[0].id}`;
  databaseName = data.databases[0].database;
});

function begin(tables: unknown, more: Record<string, unknown> = {}) {
  const body = { target_time: api.clock.now().toISOString(), tables, ...more };
  return api.call("POST", `${path}/restores`, { body });
}

async function restored(tables: unknown) {
  const { status, body } = await begin(tables);
  expect(status, JSON.stringify(body)).toBe(201);
  await runToEnd(api, lane);
  return (await api.call("GET", `/api/v1/restores/${body.data.id}`)).body.data;
}

const there = () => [...api.host.things.tables].map((each) => each.replace(`${databaseName} `, ""));

describe("tables", () => {
  it("come back beside the living ones, in their schema, under names of their own", async () => {
    const tables = ["orders", "sales.items", { schema: "Odd.One", name: "a.b", as: "c" }];
    const { state, mode, tables: made } = await restored(tables);
    expect({ state, mode }).toEqual({ state: "succeeded", mode: "tables" });
    expect(made).toEqual([
      { schema: "public", name: "orders", as: "orders_restored", rows: 1 },
      { schema: "sales", name: "items", as: "items_restored", rows: 1 },
      { schema: "Odd.One", name: "a.b", as: "c", rows: 1 },
    ]);
    expect(there()).toEqual(["public.orders_restored", "sales.items_restored", "Odd.One.c"]);
    expect([api.host.recoveries.size, api.host.aside.size]).toEqual([0, 0]);
  });

  it("under a name that is taken fail, in words, and none is copied", async () => {
    await restored(["orders"]);
    const failed = await restored(["items", "orders"]);
    expect(failed).toMatchObject({
      state: "failed",
      error_message: "The table public.orders_restored exists.",
    });
    expect(failed.tables).toMatchObject([{ rows: null }, { rows: null }]);
    expect(there()).toEqual(["public.orders_restored"]);
    const { body } = await api.call("GET", `/api/v1/operations/${failed.operation_id}`);
    expect(body.data.error.code).toBe("TABLE_EXISTS");
    expect(api.host.recoveries.size).toBe(0);
  });

  it.each([
    ["none", []],
    ["no text", [5]],
    ["too many dots", ["a.b.c"]],
    ["the same name twice", ["orders", { name: "items", as: "orders_restored" }]],
    ["a name too long to be longer", ["o".repeat(60)]],
    ["a name too long", [{ name: "o".repeat(64), as: "short" }]],
    ["a field we do not know", [{ name: "orders", to: "x" }]],
  ])("that are %s are 422 and begin nothing", async (_, tables) => {
    const { status, body } = await begin(tables);
    expect(status).toBe(422);
    expect(Object.keys(body.errors)[0]).toMatch(/^tables/);
    expect((await api.call("GET", `${path}/restores`)).body.total).toBe(0);
  });

  it("go with no other mode, and mode tables with no others", async () => {
    const refused = await begin(["orders"], { mode: "in_place" });
    expect(Object.keys(refused.body.errors)).toEqual(["mode"]);
    const without = await begin(undefined, { mode: "tables" });
    expect(Object.keys(without.body.errors)).toEqual(["tables"]);
    expect((await begin(["orders"], { mode: "tables" })).status).toBe(201);
  });

  it("come back to no database that is stopped", async () => {
    await api.call("POST", `${path}/stop`);
    const { status, body } = await begin(["orders"]);
    expect(status).toBe(409);
    expect(body.error.message).toMatch(/start it first/);
  });
});
