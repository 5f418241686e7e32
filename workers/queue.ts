import type { Context } from "../src/core/context.ts";
import { messageOf } from "../src/core/error.ts";
import { hostOfSpareLane } from "../src/database/spare.ts";
import { laneIn, reportDeadNudge } from "../src/operation/alert.ts";
import { webhookIn } from "../src/webhook/lane.ts";
import type { ContextOf } from "./api.ts";
import { createContext, type Env, log, type Nudge } from "./context.ts";

type Messages = readonly Message<unknown>[];

/** Each message nudges a lane; those that were given up become alerts. */
export async function onMessages(
  batch: MessageBatch<Nudge>,
  env: Env,
  contextOf: ContextOf = createContext,
): Promise<void> {
  if (batch.queue.endsWith("-dead")) await onDeadNudges(batch.messages, await contextOf(env));
  else await onNudges(batch.messages, env);
}

// Several nudges for one lane are one. What is no nudge goes to the dead letters by itself and
// takes none of its batch along.
async function onNudges(messages: Messages, env: Env): Promise<void> {
  const byLane = Map.groupBy(messages, (message) => laneIn(message.body));
  for (const message of byLane.get(null) ?? []) message.retry();
  await Promise.all(
    [...byLane].map(async ([lane, nudges]) => {
      if (lane === null) return;
      const stub = env.LANE.getByName(lane);
      await each(nudges, () => (isSlow(lane) ? stub.wake() : stub.drive()));
    }),
  );
}

// A receiver may be slow, and spares take seconds each: nobody waits for them here.
function isSlow(lane: string): boolean {
  return webhookIn(lane) !== null || hostOfSpareLane(lane) !== null;
}

async function onDeadNudges(messages: Messages, context: Context): Promise<void> {
  for (const message of messages) {
    await each([message], () => reportDeadNudge(context, message.body));
  }
}

async function each(messages: Messages, work: () => Promise<void>): Promise<void> {
  try {
    await work();
    for (const message of messages) message.ack();
  } catch (error) {
    log({ level: "error", message: messageOf(error) });
    for (const message of messages)
      message.retry({ delaySeconds: 2 ** Math.min(message.attempts, 8) });
  }
}
