import { and, count, desc, eq, gte, lt, or, sql } from "drizzle-orm";
import type { Context } from "../core/context.ts";
import type { PageRequest } from "../core/page.ts";
import { auditEntry } from "./table.ts";

/** Which entries are wanted; what is undefined does not filter. */
export interface AuditFilter {
  /** The id of a key, or its first characters. */
  readonly actor?: string | undefined;
  /** A name, or a glob such as `databases.*`. */
  readonly action?: string | undefined;
  readonly resourceType?: string | undefined;
  readonly resourceId?: string | undefined;
  readonly requestId?: string | undefined;
  /** Of the calls' resources, the workspace. */
  readonly workspaceId?: string | undefined;
  readonly outcome?: "succeeded" | "refused" | "replayed" | undefined;
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
}

/** A page of an organization's entries, newest first, and how many there are. */
export async function listEntries(
  context: Context,
  organizationId: string,
  filter: AuditFilter,
  page: PageRequest,
) {
  const { actor, action, since, until, outcome, workspaceId, ...columns } = filter;
  const wanted = Object.entries(columns) as [keyof typeof columns, string | undefined][];
  const { actorId, actorPrefix, createdAt, seq } = auditEntry;
  const matches = and(
    eq(auditEntry.organizationId, organizationId),
    actor === undefined ? undefined : or(eq(actorId, actor), eq(actorPrefix, actor)),
    action === undefined ? undefined : sql`${auditEntry.action} glob ${action}`,
    outcome === undefined ? undefined : eq(outcomeOf, outcome),
    workspaceId === undefined ? undefined : isAbout(workspaceId),
    since === undefined ? undefined : gte(createdAt, since),
    until === undefined ? undefined : lt(createdAt, until),
    ...wanted.map(([name, value]) =>
      value === undefined ? undefined : eq(auditEntry[name], value),
    ),
  );
  const before = page.beforeSeq === null ? undefined : lt(seq, page.beforeSeq);
  const [rows, totals] = await context.db.batch([
    context.db
      .select()
      .from(auditEntry)
      .where(and(matches, before))
      .orderBy(desc(seq))
      .limit(page.limit)
      .offset(page.offset),
    context.db.select({ total: count() }).from(auditEntry).where(matches),
  ]);
  return { rows, total: totals[0]?.total ?? 0 };
}

const told = sql`json_extract(${auditEntry.after}, '$.outcome')`;
const outcomeOf = sql<string>`coalesce(${told}, 'succeeded')`;

// An entry keeps no workspace of its own: it is the resource, or what the call's words name.
function isAbout(workspaceId: string) {
  const isResource = and(
    eq(auditEntry.resourceType, "workspace"),
    eq(auditEntry.resourceId, workspaceId),
  );
  return or(isResource, sql`json_extract(${auditEntry.after}, '$.workspace_id') = ${workspaceId}`);
}
