import { and, count, desc, eq, inArray, lt, ne, notInArray } from "drizzle-orm";
import type { AnySQLiteColumn } from "drizzle-orm/sqlite-core";
import type { Actor } from "../core/actor.ts";
import type { Context } from "../core/context.ts";
import { notFound } from "../core/error.ts";
import type { ProjectId } from "../core/id.ts";
import type { PageRequest } from "../core/page.ts";
import { allHosts } from "../host/find.ts";
import type { HostRow } from "../host/table.ts";
import type { DatabaseState } from "./status.ts";
import { type DatabaseRow, database, hasItsName } from "./table.ts";

/** A database with the host it lives in. */
export interface PlacedDatabase {
  readonly row: DatabaseRow;
  readonly host: HostRow;
  /** Why its host lets nobody in; null when it does, absent when it was not asked just now. */
  readonly problem?: string | null;
}

/** Which databases of a list are wanted; what is undefined does not filter. */
export interface DatabaseFilter {
  readonly projectId?: string | undefined;
  readonly workspaceId?: string | undefined;
  readonly environment?: string | undefined;
  readonly state?: DatabaseState | undefined;
  readonly externalWorkspaceId?: string | undefined;
  readonly externalUserId?: string | undefined;
  readonly externalProjectId?: string | undefined;
  readonly branchOf?: string | undefined;
}

// Lists show a deleted one only to those who ask for it.
const gone = ["deleted", "purged"] as const;

/** That a database has its name, its place as primary, or is on its way there. */
export const isLive = hasItsName;

/** @throws ApiError 404 also when it is another organization's, or purged. */
export async function findDatabase(
  context: Context,
  actor: Actor,
  id: string,
): Promise<PlacedDatabase> {
  const found = await findRecoverable(context, actor, id);
  if (found.row.state === "purged") throw notFound("database");
  return found;
}

/**
 * The same also when it is purged: its backups outlive it.
 * @throws ApiError 404 also when it is another organization's.
 */
export async function findRecoverable(
  context: Context,
  actor: Actor,
  id: string,
): Promise<PlacedDatabase> {
  const [rows, hosts] = await context.db.batch([
    context.db
      .select()
      .from(database)
      .where(and(visibleTo(actor), eq(database.id, id))),
    allHosts(context),
  ]);
  const [found] = withHosts(rows, hosts);
  if (found === undefined) throw notFound("database");
  return found;
}

/** A page of databases, newest first, and how many there are. */
export async function listDatabases(
  context: Context,
  actor: Actor,
  filter: DatabaseFilter,
  page: PageRequest,
) {
  const { state = null, ...columns } = filter;
  const wanted = Object.entries(columns) as [keyof typeof columns, string | undefined][];
  const matches = and(
    visibleTo(actor),
    state === null ? notInArray(database.state, [...gone]) : eq(database.state, state),
    ...wanted.map(([name, value]) => (value === undefined ? undefined : eq(database[name], value))),
  );
  const before = page.beforeSeq === null ? undefined : lt(database.seq, page.beforeSeq);
  const [rows, totals, hosts] = await context.db.batch([
    context.db
      .select()
      .from(database)
      .where(and(matches, before))
      .orderBy(desc(database.seq))
      .limit(page.limit)
      .offset(page.offset),
    context.db.select({ total: count() }).from(database).where(matches),
    allHosts(context),
  ]);
  return { rows: withHosts(rows, hosts), total: totals[0]?.total ?? 0 };
}

/** Live databases of a project, or of one environment of it, oldest first. */
export async function databasesOf(
  context: Context,
  projectId: ProjectId,
  environmentId?: string,
): Promise<PlacedDatabase[]> {
  const [rows, hosts] = await context.db.batch([
    liveDatabases(context, projectId, environmentId),
    allHosts(context),
  ]);
  return withHosts(rows, hosts);
}

/** The rows of `databasesOf`, as a query for a read batch. */
export function liveDatabases(context: Context, projectId: ProjectId, environmentId?: string) {
  return context.db
    .select()
    .from(database)
    .where(
      and(
        eq(database.projectId, projectId),
        isLive,
        environmentId === undefined ? undefined : eq(database.environmentId, environmentId),
      ),
    )
    .orderBy(database.seq);
}

/** Rows of a project of which a host or a caller may still know: those that are not purged. */
export function remainingDatabases(context: Context, projectId: string) {
  return context.db
    .select()
    .from(database)
    .where(and(eq(database.projectId, projectId), ne(database.state, "purged")))
    .orderBy(database.seq);
}

/** How many those are, as a query for the batch that depends on it. */
export function countRemaining(context: Context, projectId: string) {
  return context.db
    .select({ n: count() })
    .from(database)
    .where(and(eq(database.projectId, projectId), ne(database.state, "purged")));
}

/** Live databases of a workspace that are protected from deletion. */
export function protectedDatabases(context: Context, workspaceId: string) {
  return context.db
    .select({ id: database.id })
    .from(database)
    .where(
      and(eq(database.workspaceId, workspaceId), isLive, eq(database.deletionProtection, true)),
    );
}

/** How many live databases a project has, as a query for the batch that depends on it. */
export function countLive(context: Context, projectId: string) {
  return context.db
    .select({ n: count() })
    .from(database)
    .where(and(eq(database.projectId, projectId), isLive));
}

/** Puts rows beside their hosts. No join: a batch of D1 merges columns of the same name. */
export function withHosts(
  rows: readonly DatabaseRow[],
  hosts: readonly HostRow[],
): PlacedDatabase[] {
  const byId = new Map(hosts.map((host) => [host.id, host]));
  return rows.flatMap((row) => {
    const host = byId.get(row.hostId);
    return host === undefined ? [] : [{ row, host }];
  });
}

/** That an id is a database's which the actor may see, as far as that depends on its user. */
export function isOfUser(context: Context, actor: Actor, databaseId: AnySQLiteColumn) {
  if (actor.externalUserId === null) return undefined;
  const theirs = context.db
    .select({ id: database.id })
    .from(database)
    .where(eq(database.externalUserId, actor.externalUserId));
  return inArray(databaseId, theirs);
}

function visibleTo(actor: Actor) {
  return and(
    eq(database.organizationId, actor.organizationId),
    actor.workspaceId === null ? undefined : eq(database.workspaceId, actor.workspaceId),
    actor.externalUserId === null ? undefined : eq(database.externalUserId, actor.externalUserId),
  );
}
