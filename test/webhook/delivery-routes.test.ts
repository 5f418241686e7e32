import { beforeEach, expect, it } from "vitest";
import { createTestApi, type TestApi } from "../support/api.ts";

let api: TestApi;
let id: string;
beforeEach(async () => {
  api = await createTestApi();
  api.internet.put("hooks.example.com");
  const body = { url: "https://hooks.example.com/", retry_count: 0 };
  id = (await api.call("POST", "/api/v1/webhooks", { body })).body.data.id;
});

const call = (method: string, path = "", body?: unknown, key?: string) =>
  api.call(method, `/api/v1/webhooks/${id}${path}`, {
    ...(body === undefined ? {} : { body }),
    ...(key === undefined ? {} : { key }),
  });
const deliver = () => api.context.drive(`webhook:${id}`, 0);
const bodies = () => api.internet.received.map(({ text }) => JSON.parse(text));
const fail = () => api.internet.put("hooks.example.com", () => new Response(null, { status: 500 }));
const recover = () => api.internet.put("hooks.example.com");

it("a test is delivered at once, to this endpoint alone", async () => {
  const other = { url: "https://hooks.example.com/other" };
  const { data } = (await api.call("POST", "/api/v1/webhooks", { body: other })).body;
  const tested = await call("POST", "/test");
  expect(tested.status).toBe(200);
  expect(tested.body.data).toMatchObject({ event: "webhook.test", state: "delivered" });
  await api.context.drive(`webhook:${data.id}`, 0);
  expect(bodies()).toMatchObject([{ type: "webhook.test", id: tested.body.data.id }]);
});

it("a replay is a new delivery of the same event", async () => {
  const original = (await call("POST", "/test")).body.data;
  const path = `/deliveries/${original.id}/replay`;
  const answer = await call("POST", path, { replay_id: "again-1" });
  expect(answer.status).toBe(202);
  expect(answer.body.data).toMatchObject({
    event_id: original.event_id,
    replay_of: original.id,
    replay_id: "again-1",
    state: "pending",
  });
  await deliver();
  const [first, second] = bodies();
  expect(second).toEqual({
    ...first,
    id: answer.body.data.id,
    delivery_id: answer.body.data.id,
    replay_of: original.id,
  });
});

it("the same delivery is replayed twice under two names, and never under one", async () => {
  const { id: original } = (await call("POST", "/test")).body.data;
  const again = (replay_id: string) =>
    call("POST", `/deliveries/${original}/replay`, { replay_id });
  expect((await again("one")).status).toBe(202);
  const refused = await again("one");
  expect([refused.status, refused.body.error.code]).toEqual([409, "REPLAY_ID_REUSED"]);
  expect((await again("two")).status).toBe(202);
  expect((await call("POST", `/deliveries/${original}/replay`)).status).toBe(202);
  await deliver();
  expect(bodies()).toHaveLength(4);
  expect(new Set(bodies().map((each) => each.id)).size).toBe(4);
  expect(new Set(bodies().map((each) => each.event_id)).size).toBe(1);
});

it("an inactive webhook takes no test and no replay", async () => {
  const { id: original } = (await call("POST", "/test")).body.data;
  await call("POST", "/pause");
  for (const answer of [
    await call("POST", "/test"),
    await call("POST", `/deliveries/${original}/replay`, {}),
    await call("POST", "/replay", { since: "2020-01-01T00:00:00Z" }),
  ]) {
    expect([answer.status, answer.body.error.code]).toEqual([409, "WEBHOOK_INACTIVE"]);
  }
});

it("everything that failed since a time is replayed once", async () => {
  fail();
  for (let n = 0; n < 20; n++) await call("POST", "/test");
  api.clock.advanceTo(new Date(api.clock.now().getTime() + 60_000));
  const since = api.clock.now().toISOString();
  for (let n = 0; n < 3; n++) {
    await call("POST", "/test");
    api.clock.advanceTo(new Date(api.clock.now().getTime() + 1000));
  }
  await deliver();
  api.clock.advanceTo(new Date(api.clock.now().getTime() + 1000));
  recover();
  api.internet.received.length = 0;
  const { status, body } = await call("POST", "/replay", { since });
  expect([status, body.data]).toEqual([202, { replayed: 3, has_more: false }]);
  expect((await call("POST", "/replay", { since })).body.data.replayed).toBe(0);
  await deliver();
  expect(bodies()).toHaveLength(3);
  expect((await call("POST", "/replay", {})).body.errors).toHaveProperty("since");
});

it("deliveries are listed newest first, by cursor, time and state", async () => {
  for (let n = 0; n < 3; n++) {
    api.clock.advanceTo(new Date(api.clock.now().getTime() + 1000));
    await call("POST", "/test");
  }
  const all = (await call("GET", "/deliveries")).body;
  expect([all.data.length, all.next_cursor]).toEqual([3, null]);
  const first = (await call("GET", "/deliveries?limit=2")).body;
  expect(first.data).toEqual(all.data.slice(0, 2));
  const rest = (await call("GET", `/deliveries?limit=2&cursor=${first.next_cursor}`)).body;
  expect(rest.data).toEqual(all.data.slice(2));
  const before = (await call("GET", `/deliveries?before=${all.data[1].created_at}`)).body;
  expect(before.data).toEqual(all.data.slice(2));
  expect((await call("GET", "/deliveries?state=dead_letter")).body.data).toEqual([]);
});

it.each(["limit=0", "limit=101", "before=yesterday", "state=lost", "cursor=x"])(
  "a list with %s is 422 and names the field",
  async (query) => {
    const { status, body } = await call("GET", `/deliveries?${query}`);
    expect([status, Object.keys(body.errors)]).toEqual([422, [query.split("=")[0]]]);
  },
);

it("deliveries are nobody else's, and need their scope", async () => {
  const { id: made } = (await call("POST", "/test")).body.data;
  const stranger = await api.addStranger();
  const reader = await api.addKey(["webhooks:read"]);
  for (const [method, path, body] of [
    ["GET", "/deliveries", undefined],
    ["GET", `/deliveries/${made}`, undefined],
    ["POST", `/deliveries/${made}/replay`, {}],
    ["POST", "/replay", { since: "2020-01-01T00:00:00Z" }],
    ["POST", "/test", undefined],
  ] as const) {
    expect((await call(method, path, body, stranger)).status).toBe(404);
    expect((await call(method, path, body, reader)).status).toBe(method === "GET" ? 200 : 403);
  }
});
