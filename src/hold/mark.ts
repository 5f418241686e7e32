// Tells each host the state of D1, minute by minute. What a host is told is written down before, so
// a host that knows what this D1 does not has seen a later state of it, or another D1's: then
// nothing is repaired or removed until a person says so. That holds however long it was silent.

import type { Mark } from "../contract/mark.ts";
import type { Context } from "../core/context.ts";
import { messageOf } from "../core/error.ts";
import { allHosts, getHost } from "../host/find.ts";
import { markTaken, prepareMark } from "../host/mark.ts";
import type { HostRow } from "../host/table.ts";
import { ensureInstallation, holdRepairs } from "./hold.ts";

/**
 * Marks every host that answers; before anything that repairs. True when one has seen a later state
 * than this D1's: what its rows say of hosts may be past.
 */
export async function markHosts(context: Context): Promise<boolean> {
  const { epoch } = await ensureInstallation(context);
  let isPast = false;
  for (const row of await allHosts(context)) {
    try {
      isPast = (await markHost(context, row, epoch)) || isPast;
    } catch (error) {
      // One that is silent is an alert of its own, and nothing of it is repaired meanwhile.
      const message = messageOf(error);
      context.log({ level: "warning", message, host: row.name });
    }
  }
  return isPast;
}

async function markHost(context: Context, row: HostRow, epoch: string): Promise<boolean> {
  const { id, name, markConfirmed, adoptsMark } = row;
  const state = row.markPending ?? (await prepareMark(context, id));
  const mark: Mark = { epoch, state, at: context.now().toISOString() };
  const expected = markConfirmed === null ? [state] : [markConfirmed, state];
  const input = { mark, expected, adopt: adoptsMark };
  const { known } = await context.host.command(id, "mark", input);
  if (known === null || adoptsMark || expected.includes(known.state)) {
    await context.db.batch([markTaken(context, id, state)]);
    return false;
  }
  // Another run of the cron may have told it the next one meanwhile.
  const now = await getHost(context, id);
  if ([now.markConfirmed, now.markPending].includes(known.state)) return false;
  const reason =
    known.epoch === epoch
      ? "D1 was brought back from an earlier time: " +
        `the host ${name} knows its state of ${known.at}, which this D1 does not.`
      : `the host ${name} was kept by another D1 before: this one is new to it.`;
  await holdRepairs(context, reason, null);
  return true;
}
