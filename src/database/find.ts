import { and, count, desc, eq, inArray, lt, ne, notInArray } from "drizzle-orm";
import { type ClusterRow, cluster } from "../cluster/table.ts";
import type { Actor } from "../core/actor.ts";
import type { Context } from "../core/context.ts";
import { notFound } from "../core/error.ts";
import type { ProjectId } from "../core/id.ts";
import type { PageRequest } from "../core/page.ts";
import type { DatabaseState } from "./status.ts";
import { type DatabaseRow, database } from "./table.ts";

/** A database with the cluster it lives in. */
export interface PlacedDatabase {
  readonly row: DatabaseRow;
  readonly cluster: ClusterRow;
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
}

/** @throws ApiError 404 also when it is another organization's, or deleted. */
export async function findDatabase(
  context: Context,
  actor: Actor,
  id: string,
): Promise<PlacedDatabase> {
  const [found] = await placed(context).where(
    and(visibleTo(actor), eq(database.id, id), ne(database.state, "deleted")),
  );
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
    state === null ? ne(database.state, "deleted") : eq(database.state, state),
    ...wanted.map(([name, value]) => (value === undefined ? undefined : eq(database[name], value))),
  );
  const before = page.beforeSeq === null ? undefined : lt(database.seq, page.beforeSeq);
  const [rows, totals] = await context.db.batch([
    placed(context)
      .where(and(matches, before))
      .orderBy(desc(database.seq))
      .limit(page.limit)
      .offset(page.offset),
    context.db.select({ total: count() }).from(database).where(matches),
  ]);
  return { rows, total: totals[0]?.total ?? 0 };
}

/** Live databases of a project, or of one environment of it, oldest first; for a read batch. */
export function databasesOf(context: Context, projectId: ProjectId, environmentId?: string) {
  return placed(context)
    .where(
      and(
        eq(database.projectId, projectId),
        notInArray(database.state, ["deleted", "failed"]),
        environmentId === undefined ? undefined : eq(database.environmentId, environmentId),
      ),
    )
    .orderBy(database.seq);
}

/** Live databases of several projects, oldest first. */
export function databasesOfProjects(context: Context, projectIds: readonly string[]) {
  return placed(context)
    .where(
      and(
        inArray(database.projectId, [...projectIds]),
        notInArray(database.state, ["deleted", "failed"]),
      ),
    )
    .orderBy(database.seq);
}

function placed(context: Context) {
  return context.db
    .select({ row: database, cluster })
    .from(database)
    .innerJoin(cluster, eq(cluster.id, database.clusterId));
}

function visibleTo(actor: Actor) {
  return and(
    eq(database.organizationId, actor.organizationId),
    actor.workspaceId === null ? undefined : eq(database.workspaceId, actor.workspaceId),
  );
}
