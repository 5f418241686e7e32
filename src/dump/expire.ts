// What a host keeps against what the rows say. A row says when its archive goes; an archive without
// a row stays and is told, and a row without its archive says so.

import { and, asc, eq, inArray, like, lt, notInArray, sql } from "drizzle-orm";
import { raiseAlert, resolveAlerts } from "../alert/raise.ts";
import { alert } from "../alert/table.ts";
import type { StoredDump } from "../contract/dump.ts";
import { commit } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { messageOf } from "../core/error.ts";
import { allHosts } from "../host/find.ts";
import { failDump } from "./change.ts";
import { removeDump } from "./remove.ts";
import { dump } from "./table.ts";

const perRun = 20;
const hourMilliseconds = 3_600_000;
// A row is written before its archive: what has none for so long has lost it for good.
const orphanMilliseconds = 24 * hourMilliseconds;
// Whoever sent one is gone.
const sendingMilliseconds = 6 * hourMilliseconds;

/** Takes away what is out of date. */
export function expireDumps(context: Context): Promise<void> {
  return eachHost(context, (hostId) => expireOf(context, hostId));
}

/** Brings rows and archives together. */
export function compareDumps(context: Context): Promise<void> {
  return eachHost(context, async (hostId) => {
    const askedAt = context.now();
    const { dumps: stored } = await context.host.command(hostId, "dumps", {});
    await compare(context, hostId, { askedAt, stored });
  });
}

// One host's trouble is not another's.
async function eachHost(context: Context, work: (hostId: string) => Promise<void>) {
  for (const { id, name } of await allHosts(context)) {
    try {
      await work(id);
    } catch (error) {
      const message = messageOf(error);
      context.log({ level: "warning", message, host: name });
    }
  }
}

async function expireOf(context: Context, hostId: string): Promise<void> {
  const due = await context.db
    .select()
    .from(dump)
    .where(
      and(
        eq(dump.hostId, hostId),
        lt(dump.expiresAt, context.now()),
        inArray(dump.state, ["succeeded", "failed"]),
      ),
    )
    .orderBy(asc(dump.expiresAt))
    .limit(perRun);
  for (const row of due) await removeDump(context, row);
}

interface Listing {
  readonly askedAt: Date;
  readonly stored: readonly StoredDump[];
}

async function compare(context: Context, hostId: string, { askedAt, stored }: Listing) {
  const before = (milliseconds: number) => new Date(context.now().getTime() - milliseconds);
  const rows = await context.db.select().from(dump).where(eq(dump.hostId, hostId));
  const known = new Set(rows.map(({ id }) => id));
  const there = new Set(stored.map(({ dump_id }) => dump_id));
  const orphans = stored.filter(
    ({ dump_id: id, stored_at: at }) =>
      !known.has(id) && Date.parse(at) < before(orphanMilliseconds).getTime(),
  );
  // One that was finished meanwhile is not in the list.
  const lost = rows.filter(
    ({ id, state, finishedAt }) =>
      state === "succeeded" && !there.has(id) && finishedAt !== null && finishedAt < askedAt,
  );
  await commit(context, [
    ...lost.map(({ id }) => failDump(context, id, "Its archive is gone from the host.")),
    ...givenUp(rows, before(sendingMilliseconds)).map(({ id }) =>
      failDump(context, id, "Its archive never came whole."),
    ),
    ...tellOrphans(context, hostId, orphans),
  ]);
}

// None of them is removed by itself: a D1 that was brought back from an older day knows fewer.
function tellOrphans(context: Context, hostId: string, orphans: readonly StoredDump[]) {
  const kind = "orphan_dump";
  const subjects = orphans.slice(0, perRun).map(({ dump_id }) => `${hostId}/${dump_id}`);
  const isGone = and(like(alert.subject, `${hostId}/%`), notInArray(alert.subject, subjects));
  return [
    ...orphans.slice(0, perRun).map((each) => {
      const { dump_id, size_bytes, stored_at } = each;
      const message =
        `No row names the archive ${dump_id} of ${stored_at}. It stays until a person removes ` +
        `it: DELETE /admin/hosts/${hostId}/dumps/${dump_id}.`;
      const details = { host_id: hostId, dump_id, size_bytes };
      return raiseAlert(context, { kind, subject: `${hostId}/${dump_id}`, message, details });
    }),
    resolveAlerts(context, kind, isGone ?? sql`true`),
  ];
}

function givenUp(rows: readonly (typeof dump.$inferSelect)[], before: Date) {
  return rows.filter(
    ({ operationId, state, createdAt }) =>
      operationId === null && state === "running" && createdAt < before,
  );
}
