import { commit } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { raiseAlert } from "./raise.ts";

/** The runtime of this Worker ended and was started again: an alert that is told for a day. */
export async function reportRestart(context: Context): Promise<void> {
  const at = context.now().toISOString();
  const message = `The Worker's runtime ended or hung, and was started again (${at}).`;
  const raised = { kind: "worker_restarted" as const, subject: "worker", message };
  await commit(context, [raiseAlert(context, { ...raised, details: { at } })]);
}
