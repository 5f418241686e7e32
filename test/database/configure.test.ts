import { desc } from "drizzle-orm";
import { beforeEach, describe, expect, it } from "vitest";
import { event } from "../../src/webhook/table.ts";
import { createTestApi, type TestApi } from "../support/api.ts";

let api: TestApi;
let path: string;
let name: string;
beforeEach(async () => {
  api = await createTestApi();
  const body = { name: "Smile Dental", data: { postgres: true } };
  const { data } = (await api.call("POST", "/api/v1/projects", { body })).body;
  path = `/api/v1/databases/${data.databases[0].id}`;
  name = data.databases[0].database;
});

const patch = (body: unknown) => api.call("PATCH", path, { body });
const get = async () => (await api.call("GET", path)).body.data;
const operations = async () => (await api.call("GET", "/api/v1/operations")).body;

describe("PATCH", () => {
  it("changes everything at once, by one operation", async () => {
    const before = (await operations()).total;
    const { status, body } = await patch({
      size: "medium",
      suspend_after_seconds: 300,
      allowed_addresses: ["203.0.113.0/24"],
      deletion_protection: true,
    });
    expect(status).toBe(200);
    expect(body.data).toMatchObject({
      size: "medium",
      suspend_after_seconds: 300,
      allowed_addresses: ["203.0.113.0/24"],
      deletion_protection: true,
    });
    expect(api.host.spec(name)).toMatchObject({
      transaction: { client_connections_max: 200 },
      suspend_after_seconds: 300,
      allowed_addresses: ["203.0.113.0/24"],
    });
    const { data, total } = await operations();
    expect([total, data[0].kind]).toEqual([before + 1, "database.resize"]);
  });

  it("without a size is `database.configure`, and tells what changed", async () => {
    await patch({ suspend_after_seconds: 5 });
    expect((await operations()).data[0].kind).toBe("database.configure");
    const [last] = await api.context.db.select().from(event).orderBy(desc(event.seq)).limit(1);
    expect(last).toMatchObject({
      type: "database.configured",
      data: { changed: ["suspend_after_seconds"] },
    });
  });

  it("to what it has, of null or of nothing, begins nothing", async () => {
    const before = (await operations()).total;
    const same = { size: "small", suspend_after_seconds: 0, allowed_addresses: [] };
    const nothing = { size: null, suspend_after_seconds: null, allowed_addresses: null };
    for (const body of [same, nothing, {}]) expect((await patch(body)).status).toBe(200);
    expect((await operations()).total).toBe(before);
  });

  it("says only what is in force: the row waits for the host", async () => {
    api.host.failAt(1, "before");
    const { status, body } = await patch({ suspend_after_seconds: 300 });
    expect([status, body.data.suspend_after_seconds]).toEqual([202, 0]);
  });
});

describe("allowed_addresses", () => {
  it("makes networks of addresses", async () => {
    const allowed_addresses = ["203.0.113.7", "2001:db8::1", " 10.0.0.0/8 "];
    const { body } = await patch({ allowed_addresses });
    const networks = ["203.0.113.7/32", "2001:db8::1/128", "10.0.0.0/8"];
    expect(body.data.allowed_addresses).toEqual(networks);
    expect((await patch({ allowed_addresses: [] })).body.data.allowed_addresses).toEqual([]);
    expect(api.host.spec(name)?.allowed_addresses).toEqual([]);
  });

  it.each([
    ["10.0.0.0/33"],
    ["10.0.0.256"],
    ["example.com"],
    [""],
    ["10.0.0.1 all trust"],
    ["::/129"],
    [7],
    [null],
  ])("refuses %j, naming its place in the list", async (wrong) => {
    const { status, body } = await patch({ allowed_addresses: ["203.0.113.7", wrong] });
    expect(status).toBe(422);
    expect(Object.keys(body.errors)).toEqual(["allowed_addresses.1"]);
    expect((await get()).allowed_addresses).toEqual([]);
  });

  it("are a hundred at most", async () => {
    const many = (count: number) => Array.from({ length: count }, (_, at) => `10.0.${at}.0/24`);
    expect((await patch({ allowed_addresses: many(100) })).status).toBe(200);
    const { status, body } = await patch({ allowed_addresses: many(101) });
    expect([status, Object.keys(body.errors)]).toEqual([422, ["allowed_addresses"]]);
  });
});

describe("suspend_after_seconds", () => {
  it.each([5, 604_800, 0])("takes %s", async (seconds) => {
    const { status, body } = await patch({ suspend_after_seconds: seconds });
    expect([status, body.data.suspend_after_seconds]).toEqual([200, seconds]);
  });

  it.each([4, 1, -1, 1.5, 604_801, 1e300, "60", true, [60]])("refuses %j", async (seconds) => {
    const { status, body } = await patch({ suspend_after_seconds: seconds });
    expect([status, Object.keys(body.errors)]).toEqual([422, ["suspend_after_seconds"]]);
  });
});

describe("a body with one wrong field", () => {
  it("changes nothing of the others", async () => {
    const body = { deletion_protection: true, suspend_after_seconds: 60, size: "huge" };
    expect((await patch(body)).status).toBe(422);
    expect(await get()).toMatchObject({ deletion_protection: false, suspend_after_seconds: 0 });
  });
});
