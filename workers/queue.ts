import type { Env, Nudge } from "./context.ts";

/** Each message nudges a lane; several for one lane are one nudge. */
export async function onNudges(batch: MessageBatch<Nudge>, env: Env): Promise<void> {
  const lanes = new Set(batch.messages.map((message) => message.body.lane));
  await Promise.all([...lanes].map((lane) => env.LANE.getByName(lane).drive()));
}
