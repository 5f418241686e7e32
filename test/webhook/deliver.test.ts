import { asc, eq } from "drizzle-orm";
import { Webhook } from "standardwebhooks";
import { beforeEach, expect, it } from "vitest";
import { commit } from "../../src/core/batch.ts";
import { recordEvent } from "../../src/webhook/event.ts";
import { purgeWebhooks } from "../../src/webhook/purge.ts";
import { resealWebhooks } from "../../src/webhook/reseal.ts";
import { wakeEndpoints } from "../../src/webhook/sweep.ts";
import { type DeliveryRow, delivery, event, webhook } from "../../src/webhook/table.ts";
import { createTestApi, type TestApi } from "../support/api.ts";
import { keyringOf } from "../support/context.ts";

let api: TestApi;
beforeEach(async () => {
  api = await createTestApi();
});

const hostOf = (name: string) => `${name}.example.com`;

/** An endpoint at a host of its own; without a receiver it cannot be reached. */
async function listen(name: string, fields: Record<string, unknown> = {}) {
  api.internet.name(hostOf(name), "8.8.8.8");
  const body = { url: `https://${hostOf(name)}/`, ...fields };
  const { data } = (await api.call("POST", "/api/v1/webhooks", { body })).body;
  return data as { readonly id: string; readonly secret: string };
}

const happen = async (resource = crypto.randomUUID()) => {
  const subject = {
    id: resource,
    organizationId: api.actor.organizationId,
    workspaceId: null,
    projectId: null,
    externalWorkspaceId: null,
    externalUserId: "user-7",
    externalProjectId: null,
    metadata: {},
  };
  const told = recordEvent(api.context, "database.running", subject, { data: { n: 1 } });
  await commit(api.context, [told]);
};

const deliver = (id: string) => api.context.drive(`webhook:${id}`, 0);
const wait = (seconds: number) =>
  api.clock.advanceTo(new Date(api.clock.now().getTime() + seconds * 1000));
const rowsOf = (id: string) =>
  api.context.db
    .select()
    .from(delivery)
    .where(eq(delivery.webhookId, id))
    .orderBy(asc(delivery.seq));
const statesOf = async (id: string) => (await rowsOf(id)).map(({ state }) => state);
const only = async (id: string) => {
  const [row] = await rowsOf(id);
  if (row === undefined) throw new Error("There is no delivery.");
  return row;
};
const endpoint = async (id: string) => (await api.call("GET", `/api/v1/webhooks/${id}`)).body.data;
const gapOf = (row: DeliveryRow) =>
  (row.nextAttemptAt.getTime() - api.clock.now().getTime()) / 1000;

it("a change wakes those who listen, and each gets it once, signed", async () => {
  // The reference library takes only what was signed just now.
  api.clock.advanceTo(new Date());
  const { id, secret } = await listen("all", { headers: { "X-Token": "t0p" } });
  const other = await listen("other", { events: ["project.deleted"] });
  api.internet.put(hostOf("all"));
  const body = { name: "Smile Dental", data: { postgres: true }, external_user_id: "user-7" };
  const { data } = (await api.call("POST", "/api/v1/projects", { body })).body;
  expect(new Set(api.woken)).toEqual(new Set([`webhook:${id}`]));
  await deliver(id);
  await deliver(id);
  await deliver(other.id);
  const types = api.internet.received.map(({ headers }) => headers.get("x-miosa-event"));
  expect(types.toSorted()).toEqual(["database.created", "database.running", "project.created"]);
  const last = api.internet.received.find(({ text }) => text.includes("database.running"));
  const payload = JSON.parse(last?.text ?? "");
  const headers = Object.fromEntries(last?.headers ?? []);
  expect(headers).toMatchObject({ "x-token": "t0p", "content-type": "application/json" });
  expect(payload).toMatchObject({
    id: headers["webhook-id"],
    delivery_id: headers["x-miosa-delivery"],
    event: "database.running",
    type: "database.running",
    data: { id: data.databases[0].id, project_id: data.id, external_user_id: "user-7" },
  });
  expect(payload.data.operation_id).toEqual(expect.any(String));
  expect(last?.text).not.toMatch(/postgres:\/\/|password/);
  expect(new Webhook(secret).verify(last?.text ?? "", headers)).toEqual(payload);
  expect(await statesOf(id)).toEqual(["delivered", "delivered", "delivered"]);
  expect(await statesOf(other.id)).toEqual([]);
});

it("events of one resource come in their order, those of a batch too", async () => {
  const { id } = await listen("all");
  api.internet.put(hostOf("all"));
  await api.call("POST", "/api/v1/projects", { body: { name: "A", data: { postgres: true } } });
  const [{ id: database }] = (await api.call("GET", "/api/v1/databases")).body.data;
  await api.call("POST", `/api/v1/databases/${database}/stop`);
  await api.call("POST", `/api/v1/databases/${database}/start`);
  await deliver(id);
  const sent = api.internet.received.map(({ text }) => JSON.parse(text));
  const types = sent.filter(({ data }) => data.id === database).map(({ type }) => type);
  expect(types).toEqual([
    "database.created",
    "database.running",
    "database.paused",
    "database.resumed",
  ]);
});

it("a failed delivery is retried on schedule under its id, then a dead letter", async () => {
  const { id } = await listen("all", { retry_count: 10 });
  api.internet.put(hostOf("all"), () => new Response("broken", { status: 500 }));
  await happen();
  const planned = [5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 43_200];
  for (const seconds of planned) {
    await deliver(id);
    const row = await only(id);
    expect(row).toMatchObject({ state: "retrying", responseStatus: 500, responseBody: "broken" });
    expect(gapOf(row)).toBeGreaterThanOrEqual(seconds * 0.8 - 0.001);
    expect(gapOf(row)).toBeLessThanOrEqual(seconds * 1.2 + 0.001);
    api.clock.advanceTo(row.nextAttemptAt);
  }
  await deliver(id);
  expect(await only(id)).toMatchObject({ state: "dead_letter", attempts: 11 });
  expect(new Set(api.internet.received.map(({ text }) => text)).size).toBe(1);
  expect(api.internet.received).toHaveLength(11);
  const told = await api.context.db.select().from(event).where(eq(event.resourceId, id));
  expect(told.map(({ type }) => type)).toEqual(["webhook.dead_letter"]);
});

it("with the default of three retries a dead letter shows four attempts", async () => {
  const { id } = await listen("all");
  await happen();
  for (let attempts = 1; attempts <= 4; attempts++) {
    await deliver(id);
    wait(150);
  }
  const { body } = await api.call("GET", `/api/v1/webhooks/${id}/deliveries`);
  expect(body.data[0]).toMatchObject({ state: "dead_letter", attempts: 4, next_retry_at: null });
  const path = `/api/v1/webhooks/${id}/deliveries/${body.data[0].id}`;
  const { attempt_log: log } = (await api.call("GET", path)).body.data;
  expect(log.map(({ number }: { number: number }) => number)).toEqual([1, 2, 3, 4]);
});

it.each([
  ["a redirect", () => Response.redirect("http://127.0.0.1:8787/", 302), /302; redirects/],
  ["a broken connection", () => Promise.reject(new Error("reset")), /could not be reached/],
  ["an error", () => new Response(null, { status: 404 }), /answered 404/],
  [
    "an answer that is cut off",
    () =>
      new Response(
        new ReadableStream({ start: (controller) => controller.error(new Error("cut")) }),
        { status: 503 },
      ),
    /answered 503/,
  ],
] as const)("%s is a failure, in words", async (_, receiver, words) => {
  const { id } = await listen("all");
  api.internet.put(hostOf("all"), receiver);
  await happen();
  await deliver(id);
  const row = await only(id);
  expect(row.state).toBe("retrying");
  expect(row.errorMessage).toMatch(words);
  expect(api.internet.received).toHaveLength(1);
});

it("an endless answer is kept to its first 4096 bytes", async () => {
  const { id } = await listen("all");
  const chunk = new TextEncoder().encode("é".repeat(1000));
  api.internet.put(
    hostOf("all"),
    () => new Response(new ReadableStream({ pull: (controller) => controller.enqueue(chunk) })),
  );
  await happen();
  await deliver(id);
  const row = await only(id);
  expect([row.state, row.responseBody]).toEqual(["delivered", "é".repeat(2048)]);
});

it.each([
  ["120", 120],
  ["86400", 3600],
  ["not a time", 6],
])("a Retry-After of %s is waited for, up to an hour", async (text, seconds) => {
  const { id } = await listen("all");
  api.internet.put(
    hostOf("all"),
    () => new Response(null, { status: 429, headers: { "retry-after": text } }),
  );
  await happen();
  await deliver(id);
  const gap = gapOf(await only(id));
  expect(gap).toBeGreaterThan(seconds * 0.6);
  expect(gap).toBeLessThanOrEqual(seconds);
});

it("a receiver that says 410 is sent nothing more", async () => {
  const { id } = await listen("all");
  api.internet.put(hostOf("all"), () => new Response(null, { status: 410 }));
  const resource = crypto.randomUUID();
  for (let n = 0; n < 3; n++) await happen(resource);
  await deliver(id);
  expect(api.internet.received).toHaveLength(1);
  expect(await endpoint(id)).toMatchObject({ state: "inactive", last_status_code: 410 });
  expect((await only(id)).state).toBe("failed");
  const told = await api.context.db.select().from(event).where(eq(event.resourceId, id));
  expect(told).toMatchObject([{ type: "webhook.disabled", data: { reason: "gone" } }]);
});

it("an endpoint that fails for days is switched off, and that is told", async () => {
  const { id } = await listen("all");
  for (let day = 0; day <= 3; day++) {
    await happen();
    await deliver(id);
    wait(86_400);
  }
  expect(await endpoint(id)).toMatchObject({ state: "failed" });
  const told = await api.context.db.select().from(event).where(eq(event.resourceId, id));
  expect(told.at(-1)).toMatchObject({ type: "webhook.disabled", data: { reason: "failing" } });
  const alerts = (await api.call("GET", "/api/v1/admin/alerts")).body.data;
  expect(alerts).toMatchObject([{ kind: "webhook_failed", subject: id }]);
});

it("nobody is told of itself, and two dead ones do not tell each other forever", async () => {
  const [a, b] = [await listen("a", { retry_count: 0 }), await listen("b", { retry_count: 0 })];
  await happen();
  for (let round = 0; round < 5; round++) {
    for (const { id } of [a, b]) await deliver(id);
    wait(2);
  }
  const typesOf = async (id: string) => (await rowsOf(id)).map(({ eventType }) => eventType);
  expect(await typesOf(a.id)).toEqual(["database.running", "webhook.dead_letter"]);
  expect(await typesOf(b.id)).toEqual(["database.running", "webhook.dead_letter"]);
});

it("a name that has moved to a private address is not called", async () => {
  const { id } = await listen("all");
  api.internet.put(hostOf("all"));
  await happen();
  api.internet.name(hostOf("all"), "8.8.8.8", "169.254.169.254");
  await deliver(id);
  expect(api.internet.received).toHaveLength(0);
  expect((await only(id)).errorMessage).toMatch(/public/);
  api.internet.name(hostOf("all"), "8.8.8.8");
  wait(10);
  await deliver(id);
  expect((await only(id)).state).toBe("delivered");
});

it("a silent resolver is a failure that is retried", async () => {
  const { id } = await listen("all");
  api.internet.put(hostOf("all"));
  await happen();
  api.internet.resolver(false);
  await deliver(id);
  expect(await only(id)).toMatchObject({ state: "retrying", attempts: 1, responseStatus: null });
});

it("an endpoint nobody woke is found by the cron, and is delivered to once", async () => {
  const { id } = await listen("all");
  api.internet.put(hostOf("all"));
  await happen();
  api.woken.length = 0;
  expect(await wakeEndpoints(api.context)).toBe(0);
  wait(10);
  expect(await wakeEndpoints(api.context)).toBe(1);
  expect(api.woken).toEqual([`webhook:${id}`]);
  await deliver(id);
  await deliver(id);
  expect(api.internet.received).toHaveLength(1);
  wait(10);
  expect(await wakeEndpoints(api.context)).toBe(0);
});

it("what happens in a pause is delivered after it, of the last three days", async () => {
  const { id } = await listen("all");
  api.internet.put(hostOf("all"));
  await api.call("POST", `/api/v1/webhooks/${id}/pause`);
  await happen();
  wait(4 * 86_400);
  await happen();
  await deliver(id);
  expect(api.internet.received).toHaveLength(0);
  await api.call("POST", `/api/v1/webhooks/${id}/resume`);
  await deliver(id);
  expect(api.internet.received).toHaveLength(1);
});

it("one that keeps failing is tried at a pace, however often it is woken", async () => {
  const { id } = await listen("all", { retry_count: 0 });
  for (let n = 0; n < 60; n++) await happen();
  await deliver(id);
  const tried = async () => (await statesOf(id)).filter((state) => state === "dead_letter").length;
  const before = await tried();
  for (let n = 0; n < 10; n++) await deliver(id);
  expect(await tried()).toBe(before);
  wait(1);
  await deliver(id);
  expect(await tried()).toBe(before + 5);
});

it("rows of a month ago go", async () => {
  const { id } = await listen("all");
  api.internet.put(hostOf("all"));
  await happen();
  await deliver(id);
  wait(29 * 86_400);
  await purgeWebhooks(api.context);
  expect(await statesOf(id)).toEqual(["delivered"]);
  wait(3 * 86_400);
  await purgeWebhooks(api.context);
  expect(await statesOf(id)).toEqual([]);
  expect(await api.context.db.select().from(event)).toEqual([]);
});

it("a secret sealed with a former key is sealed with the current one", async () => {
  const { id } = await listen("all");
  const keyring = await keyringOf("k1", "k2");
  expect(await resealWebhooks({ ...api.context, keyring })).toBe(1);
  expect(await resealWebhooks({ ...api.context, keyring })).toBe(0);
  const [row] = await api.context.db.select().from(webhook).where(eq(webhook.id, id));
  expect(row?.secretSealed).toMatch(/^s1\.k2\./);
});
