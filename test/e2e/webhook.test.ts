// Webhooks on the real stack: what a platform's receiver gets, and what becomes of bad ones.
import { Webhook } from "standardwebhooks";
import { afterEach, describe, expect, test } from "vitest";
import { call, createProject, until } from "../support/client.ts";
import { badManners, type Manner, startReceiver } from "../support/receiver.ts";
import { system } from "../support/shared-system.ts";

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function receiver(manner?: Manner) {
  const made = await startReceiver(manner);
  ends.push(made.close);
  return made;
}

async function listen(url: string, fields: Record<string, unknown> = {}) {
  const { status, text, body } = await call(system, "POST", "/webhooks", {
    body: { url, ...fields },
  });
  if (status !== 201) throw new Error(`No webhook was made: ${status} ${text}`);
  ends.push(() => call(system, "DELETE", `/webhooks/${body.data.id}`));
  return body.data as { readonly id: string; readonly secret: string };
}

const deliveries = async (id: string) =>
  (await call(system, "GET", `/webhooks/${id}/deliveries`)).body.data;

test("a receiver is told that its database runs, and verifies it", async () => {
  const { url, received } = await receiver();
  const { secret } = await listen(url, { events: ["database.running"] });
  const { database, project } = await createProject(system, { external_user_id: "user-9" });
  await until(
    "A delivery",
    async () => received,
    (all) => all.length === 1,
  );
  const [told] = received;
  const event = new Webhook(secret).verify(told?.text ?? "", told?.headers ?? {});
  expect(event).toMatchObject({
    type: "database.running",
    data: { id: database.id, project_id: project.id, external_user_id: "user-9" },
  });
  expect(told?.text).not.toContain(new URL(database.database_url).password);
});

test("every change of a project comes once, in the order of the list of events", async () => {
  const { url, received } = await receiver();
  await listen(url);
  const { project, database } = await createProject(system);
  await call(system, "POST", `/databases/${database.id}/stop`);
  await call(system, "DELETE", `/projects/${project.id}`);
  const ours = () => received.filter(({ body }) => body.data.project_id === project.id);
  const isLast = () => ours().some(({ body }) => body.type === "project.deleted");
  await until("The last delivery", async () => isLast(), Boolean);
  const list = await call(system, "GET", `/events?project_id=${project.id}&limit=100`);
  const ofDatabase = (types: { id: string; type: string }[]) =>
    types.filter(({ id }) => id === database.id).map(({ type }) => type);
  await until(
    "All deliveries",
    async () => ours().length,
    (n) => n >= list.body.total,
  );
  expect(ours()).toHaveLength(list.body.total);
  const told = ours().map(({ body }) => ({ id: body.data.id, type: body.type }));
  const happened = list.body.data
    .toReversed()
    .map((each: { resource_id: string; type: string }) => ({
      id: each.resource_id,
      type: each.type,
    }));
  expect(ofDatabase(told)).toEqual(ofDatabase(happened));
});

test("a secret that was rotated signs beside the new one", async () => {
  const { url, received } = await receiver();
  const { id, secret } = await listen(url);
  const rotated = await call(system, "POST", `/webhooks/${id}/rotate-secret`);
  await call(system, "POST", `/webhooks/${id}/test`);
  for (const each of [secret, rotated.body.data.secret]) {
    const { text = "", headers = {} } = received[0] ?? {};
    expect(new Webhook(each).verify(text, headers)).toMatchObject({ type: "webhook.test" });
  }
});

describe.each(Object.entries(badManners))("a receiver that %s", (_, manner) => {
  test("is a failed attempt within seconds, and delays no other", async () => {
    const [bad, good] = [await receiver(manner), await receiver()];
    const { id } = await listen(bad.url);
    await listen(good.url, { events: ["project.created"] });
    const startedAt = Date.now();
    const answer = await call(system, "POST", "/projects", { body: { name: "Beside" } });
    expect(answer.status).toBe(201);
    await until(
      "The good one's",
      async () => good.received.length,
      (n) => n === 1,
      5,
    );
    const [first] = await until(
      "The bad one's",
      () => deliveries(id),
      (all) => all[0]?.state === "retrying",
      20,
    );
    expect(Date.now() - startedAt).toBeLessThan(20_000);
    expect((first.response_body ?? "").length).toBeLessThanOrEqual(4096);
    expect(first.error_message).toMatch(/^It /);
  });
});

test("a redirect to this machine is a failure and is not followed", async () => {
  const inside = await receiver();
  const outside = await receiver((response) =>
    response.writeHead(307, { location: inside.url }).end(),
  );
  const { id } = await listen(outside.url);
  const { body } = await call(system, "POST", `/webhooks/${id}/test`);
  expect(body.data).toMatchObject({ state: "retrying", response_status: 307 });
  expect(inside.received).toEqual([]);
});

test("a port of the system itself is no receiver", async () => {
  const { ports } = system.dev();
  for (const port of Object.values(ports)) {
    const { status, body } = await call(system, "POST", "/webhooks", {
      body: { url: `http://127.0.0.1:${port}/` },
    });
    expect([status, body.errors.url[0]]).toEqual([422, expect.stringContaining("own")]);
  }
});
