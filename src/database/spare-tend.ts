// How many spares a host has: as many as were asked for of late, within bounds, and never more than
// a part of the room that is left. They are made in pauses after a claim, and by the cron.
import { and, count, eq, gt } from "drizzle-orm";
import type { Context } from "../core/context.ts";
import { messageOf } from "../core/error.ts";
import { holdOf } from "../hold/find.ts";
import { allHosts } from "../host/find.ts";
import { type HostRow, host } from "../host/table.ts";
import { operation } from "../operation/table.ts";
import { backendsFor } from "./backend.ts";
import { spareLane, spareSize } from "./spare.ts";
import { beginSpare, leaveSpare, makeSpare } from "./spare-make.ts";
import { database, type SpareRow, spare } from "./table.ts";

const minuteMilliseconds = 60_000;
// As many as in ten minutes are ready; what a whole day asked for is not removed again.
const recentMinutes = 10;
const dayMinutes = 24 * 60;
// One that could not be made is tried again after a while.
const restMinutes = 5;
// Of the places and backends that are left on a host.
const shareOfRoom = 0.25;

/** Begins to make what a host lacks; true when something was begun. */
export async function fillSpares(context: Context, hostId: string): Promise<boolean> {
  const { row, spares, recent, hasFailed } = await look(context, hostId);
  const takes = row?.state === "active" && row.silentSince === null && !hasFailed;
  if (row === undefined || !takes) return false;
  const wanted = Math.min(within(context, recent), spares.length + roomFor(row));
  let begun = 0;
  for (let has = spares.length; has < wanted; has++) {
    if (!(await beginSpare(context, hostId))) break;
    begun++;
  }
  return begun > 0;
}

// What leaves is not counted: its place is free soon.
async function look(context: Context, hostId: string) {
  const since = (minutes: number) =>
    new Date(context.now().getTime() - minutes * minuteMilliseconds);
  const asked = (minutes: number) =>
    context.db
      .select({ n: count() })
      .from(database)
      .where(
        and(
          eq(database.hostId, hostId),
          eq(database.size, spareSize),
          gt(database.createdAt, since(minutes)),
        ),
      );
  const [hosts, spares, recent, ofDay, failed] = await context.db.batch([
    context.db.select().from(host).where(eq(host.id, hostId)),
    context.db.select().from(spare).where(eq(spare.hostId, hostId)).orderBy(spare.seq),
    asked(recentMinutes),
    asked(dayMinutes),
    context.db
      .select({ n: count() })
      .from(operation)
      .where(
        and(
          eq(operation.kind, makeSpare.name),
          eq(operation.lane, spareLane(hostId)),
          eq(operation.status, "failed"),
          gt(operation.finishedAt, since(restMinutes)),
        ),
      ),
  ]);
  return {
    row: hosts[0],
    spares: spares.filter(({ state }) => state !== "leaving"),
    recent: recent[0]?.n ?? 0,
    ofDay: ofDay[0]?.n ?? 0,
    hasFailed: (failed[0]?.n ?? 0) > 0,
  };
}

function within({ spares: { min, max } }: Context, asked: number): number {
  return Math.min(Math.max(asked, min), max);
}

function roomFor({ databasesMax, databasesCount, backendsMax, backendsCount }: HostRow): number {
  const backends = backendsFor({ size: spareSize, planLimits: {}, ownLimits: {} });
  const places = databasesMax - databasesCount;
  const left = Math.min(places, (backendsMax - backendsCount) / backends);
  return Math.max(0, Math.floor(left * shareOfRoom));
}

/** Has every host have what it should: makes what lacks, removes what is too much. */
export async function tendSpares(context: Context): Promise<void> {
  const isHeld = (await holdOf(context)) !== null;
  for (const { id, name } of await allHosts(context)) {
    try {
      const hasFilled = await fillSpares(context, id);
      const hasLeft = !isHeld && (await thinSpares(context, id));
      if (hasFilled || hasLeft) await context.nudge(spareLane(id));
    } catch (error) {
      context.log({ level: "warning", message: messageOf(error), host: name });
    }
  }
}

/** Begins to remove those a host has too many of; all of one that drains. */
async function thinSpares(context: Context, hostId: string): Promise<boolean> {
  const { row, spares, ofDay } = await look(context, hostId);
  const keep = row?.state === "draining" ? 0 : within(context, ofDay);
  const ready: SpareRow[] = spares.filter(({ state }) => state === "ready");
  const leaving = ready.slice(0, Math.max(0, spares.length - keep));
  for (const each of leaving) await leaveSpare(context, each);
  return leaving.length > 0;
}
