import { commit } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { raiseAgain } from "./raise.ts";

const words = {
  restarted: "ended or hung, and was started again",
  halted: "was halted by a signal, and was sent on",
} as const;
/** What happened to the runtime; a launcher fires it in place of a cron's expression. */
export type RuntimeIncident = keyof typeof words;

/** Whether a trigger tells of the runtime, and of what. */
export function isRuntimeIncident(trigger: string): trigger is RuntimeIncident {
  return Object.hasOwn(words, trigger);
}

/** Something happened to the runtime of this Worker: an alert that is told for a day. */
export async function reportRuntime(context: Context, what: RuntimeIncident): Promise<void> {
  const at = context.now().toISOString();
  const message = `The Worker's runtime ${words[what]} (${at}).`;
  const raised = { kind: "worker_restarted" as const, subject: "worker", message };
  await commit(context, [raiseAgain(context, { ...raised, details: { at } })]);
}
