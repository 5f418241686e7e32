import { and, count, desc, eq, gte, lt } from "drizzle-orm";
import type { Actor } from "../core/actor.ts";
import type { Context } from "../core/context.ts";
import type { PageRequest } from "../core/page.ts";
import type { EventType } from "./event.ts";
import { event } from "./table.ts";

/** Which events of a list are wanted; what is undefined does not filter. */
export interface EventFilter {
  readonly type?: EventType | undefined;
  readonly resourceId?: string | undefined;
  readonly projectId?: string | undefined;
  readonly since?: Date | undefined;
}

/** A page of events, newest first, and how many there are. */
export async function listEvents(
  context: Context,
  actor: Actor,
  { since, ...columns }: EventFilter,
  page: PageRequest,
) {
  const wanted = Object.entries(columns) as [keyof typeof columns, string | undefined][];
  const matches = and(
    eq(event.organizationId, actor.organizationId),
    actor.workspaceId === null ? undefined : eq(event.workspaceId, actor.workspaceId),
    since === undefined ? undefined : gte(event.occurredAt, since),
    ...wanted.map(([name, value]) => (value === undefined ? undefined : eq(event[name], value))),
  );
  const before = page.beforeSeq === null ? undefined : lt(event.seq, page.beforeSeq);
  const [rows, totals] = await context.db.batch([
    context.db
      .select()
      .from(event)
      .where(and(matches, before))
      .orderBy(desc(event.seq))
      .limit(page.limit)
      .offset(page.offset),
    context.db.select({ total: count() }).from(event).where(matches),
  ]);
  return { rows, total: totals[0]?.total ?? 0 };
}
