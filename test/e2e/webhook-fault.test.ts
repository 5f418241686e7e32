// Webhooks when things go wrong around them: a system of its own, as it is killed.
import { afterAll, beforeAll, expect, test } from "vitest";
import { call, listAll, until } from "../support/client.ts";
import { changeRows } from "../support/d1.ts";
import { deadUrl, startReceiver, startResolver } from "../support/receiver.ts";
import { type OwnSystem, startSystem } from "../support/system.ts";

const backlog = 10_000;
const changes = 40;

let system: OwnSystem;
let resolver: Awaited<ReturnType<typeof startResolver>>;
beforeAll(async () => {
  resolver = await startResolver();
  process.env.MIOSA_RESOLVER_URL = resolver.url;
  system = await startSystem();
});
afterAll(async () => {
  await system.remove();
  resolver.close();
});

test("names are looked up where the installation says, and private ones refused", async () => {
  const create = async (name: string) => {
    const body = { url: `https://${name}.example.com/` };
    return (await call(system, "POST", "/webhooks", { body })).status;
  };
  resolver.addresses.set("public.example.com", "8.8.8.8");
  resolver.addresses.set("private.example.com", "169.254.169.254");
  expect(await create("public")).toBe(201);
  expect(await create("private")).toBe(422);
  expect(await create("nowhere")).toBe(422);
});

async function listen(url: string, fields: Record<string, unknown> = {}): Promise<string> {
  const { status, text, body } = await call(system, "POST", "/webhooks", {
    body: { url, ...fields },
  });
  if (status !== 201) throw new Error(`No webhook was made: ${status} ${text}`);
  return body.data.id;
}

const createPlain = (name: string) => call(system, "POST", "/projects", { body: { name } });

/** Milliseconds from each change's call to its delivery, sorted. */
async function delaysOf(name: string): Promise<number[]> {
  const receiver = await startReceiver();
  const id = await listen(receiver.url, { events: ["project.created"] });
  const begun = new Map<string, number>();
  for (let n = 0; n < changes; n++) {
    const startedAt = Date.now();
    begun.set((await createPlain(`${name} ${n}`)).body.data.id, startedAt);
  }
  await until(
    "All deliveries",
    async () => receiver.received.length,
    (n) => n >= changes,
  );
  await call(system, "DELETE", `/webhooks/${id}`);
  await receiver.close();
  const delays = receiver.received.map(({ body, at }) => at - (begun.get(body.data.id) ?? 0));
  return delays.sort((a, b) => a - b);
}

/** Deliveries of a dead endpoint, written as its lane would have over days. */
function pile(webhookId: string): void {
  const eventId = "00000000-0000-7000-8000-000000000001";
  const ids = `with recursive n(i) as
    (select 1 union all select i + 1 from n where i < ${backlog})`;
  changeRows(
    system,
    `insert into event (id, organization_id, resource_id, type, data, metadata, occurred_at,
       created_at)
     select ?, organization_id, 'r', 'database.running', '{}', '{}', ?, ? from webhook
     where id = ?`,
    ...[eventId, Date.now(), Date.now(), webhookId],
  );
  changeRows(
    system,
    `insert into delivery (id, organization_id, webhook_id, event_id, event_type, resource_id,
       state, replay_of, next_attempt_at, created_at, updated_at)
     ${ids} select 'd' || i, w.organization_id, w.id, ?, 'database.running', 'r' || i,
       'pending', 'd0', ?, ?, ? from n, webhook w where w.id = ?`,
    ...[eventId, Date.now(), Date.now(), Date.now(), webhookId],
  );
}

test("ten thousand deliveries to a dead endpoint leave a live one as fast as it was", async () => {
  await delaysOf("Warm");
  const before = await delaysOf("Before");
  const dead = await listen(await deadUrl(), { events: ["database.running"] });
  pile(dead);
  await call(system, "POST", `/webhooks/${dead}/test`);
  const beside = await delaysOf("Beside");
  const slowest = (delays: number[]) => delays.at(-1) ?? Number.NaN;
  process.stderr.write(`Slowest of ${changes}: ${slowest(before)} ms, ${slowest(beside)} ms\n`);
  // A busy machine doubles anything now and then; a lane in the way would take ten seconds.
  expect(slowest(beside)).toBeLessThan(slowest(before) * 2 + 500);
  const { body } = await call(system, "GET", `/webhooks/${dead}`);
  expect(body.data.failure_count).toBeGreaterThan(0);
  await call(system, "DELETE", `/webhooks/${dead}`);
});

test("after everything was killed every event still comes, under one id each", async () => {
  const receiver = await startReceiver();
  await listen(receiver.url, { events: ["project.created"], retry_count: 10 });
  const creating = Array.from({ length: 30 }, (_, n) =>
    createPlain(`Killed ${n}`).catch(() => undefined),
  );
  await until(
    "A first delivery",
    async () => receiver.received.length,
    (n) => n > 0,
  );
  await system.crash();
  await Promise.all(creating);
  await system.start();
  const killed = await listAll(system, "/projects");
  const ids = new Set(
    killed.filter(({ name }) => name.startsWith("Killed")).map(({ id }) => String(id)),
  );
  const told = () => new Set(receiver.received.map(({ body }) => String(body.data.id)));
  await until(
    "Every event",
    async () => [...ids].filter((id) => !told().has(id)),
    (left) => left.length === 0,
    90,
  );
  const byEvent = Map.groupBy(receiver.received, ({ body }) => String(body.event_id));
  expect(byEvent.size).toBe(told().size);
  for (const all of byEvent.values()) {
    expect(new Set(all.map(({ body }) => body.id)).size).toBe(1);
  }
  await receiver.close();
});
