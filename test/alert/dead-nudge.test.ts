import { createExecutionContext, createMessageBatch, getQueueResult } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, test, vi } from "vitest";
import { openAlerts } from "../../src/alert/raise.ts";
import { commit } from "../../src/core/batch.ts";
import { destroy } from "../../src/database/destroy.ts";
import { laneIn, reportDeadNudge, resolveDeadNudges } from "../../src/operation/alert.ts";
import { begin } from "../../src/operation/define.ts";
import type { Nudge } from "../../workers/context.ts";
import { onMessages } from "../../workers/queue.ts";
import { createTestContext, type TestContext } from "../support/context.ts";

const poison = [
  null,
  7,
  "project:1",
  {},
  { lane: null },
  { lane: { toString: "project:1" } },
  { lane: "" },
  { lane: "nobody" },
  { lane: `project:${"x".repeat(100_000)}` },
];

function batchOf(queue: string, bodies: readonly unknown[]) {
  const messages = bodies.map((body, index) => ({
    id: `m${index}`,
    timestamp: new Date(0),
    attempts: 1,
    body: body as Nudge,
  }));
  return createMessageBatch(queue, messages);
}

async function deliver(house: TestContext, queue: string, bodies: readonly unknown[]) {
  const batch = batchOf(queue, bodies);
  await onMessages(batch, env, async () => house.context);
  const { explicitAcks, retryMessages } = await getQueueResult(batch, createExecutionContext());
  return { acked: explicitAcks, retried: retryMessages.map(({ msgId }) => msgId) };
}

const open = ({ context }: TestContext) => openAlerts(context, ["dead_nudge"]);

test("what is no nudge is told from a lane", () => {
  expect(poison.map(laneIn)).toEqual(poison.map(() => null));
  expect(laneIn({ lane: "project:019a7c5e-8f00-7000-8000-000000000000" })).not.toBeNull();
});

test("a malformed message takes none of its batch along", async () => {
  const { acked, retried } = await deliver(await createTestContext(), "miosa-nudge", [
    { lane: "project:1" },
    ...poison,
    { lane: "project:2" },
  ]);
  expect(acked).toEqual(["m0", `m${poison.length + 1}`]);
  expect(retried).toEqual(poison.map((_, index) => `m${index + 1}`));
});

test("each dead message becomes an alert, one for all that name no lane", async () => {
  const house = await createTestContext();
  const bodies = [{ lane: "project:1" }, { lane: "project:1" }, { lane: "host:2" }, ...poison];
  const { acked } = await deliver(house, "miosa-nudge-dead", bodies);
  expect(acked).toHaveLength(bodies.length);
  const subjects = (await open(house)).map(({ subject }) => subject);
  expect(subjects).toEqual(["project:1", "host:2", "unreadable"]);
});

test("poison in the queue itself ends as an alert", async () => {
  const house = await createTestContext();
  await env.NUDGE.send({ lane: 7 } as unknown as Nudge);
  await vi.waitFor(async () => expect(await open(house)).toHaveLength(1), { timeout: 20_000 });
});

test("the alert of a lane goes once nothing there is late", async () => {
  const house = await createTestContext();
  const { context, clock } = house;
  const lane = "project:1";
  const subject = { lane, organizationId: "o", workspaceId: null, projectId: null };
  const { statement } = begin(
    context,
    destroy,
    { ...subject, resourceId: "a" },
    { databaseId: "a" },
  );
  await commit(context, [statement]);
  clock.advance(120);
  await reportDeadNudge(context, { lane });
  await reportDeadNudge(context, { lane: "project:2" });
  await resolveDeadNudges(context);
  expect((await open(house)).map(({ subject: about }) => about)).toEqual([lane]);
  await env.DB.prepare("update operation set status = 'succeeded'").run();
  await resolveDeadNudges(context);
  expect(await open(house)).toEqual([]);
});

test("the alert of messages that named no lane goes an hour after the last one", async () => {
  const house = await createTestContext();
  await reportDeadNudge(house.context, poison[0]);
  house.clock.advance(3000);
  await reportDeadNudge(house.context, poison[1]);
  house.clock.advance(3000);
  await resolveDeadNudges(house.context);
  expect(await open(house)).toHaveLength(1);
  house.clock.advance(1000);
  await resolveDeadNudges(house.context);
  expect(await open(house)).toEqual([]);
});
