// What a cluster has and no row names. It is reported at first sight and removed when it is still
// there an hour later: what drops data waits for somebody to object.
import { and, eq, notInArray, or, sql } from "drizzle-orm";
import type { NewAlert } from "../alert/raise.ts";
import type { AlertRow } from "../alert/table.ts";
import type { Context } from "../core/context.ts";
import { isActive, operation } from "../operation/table.ts";
import { type Found, readerOf, type Wanted } from "./drift.ts";
import { database } from "./table.ts";

/** States of a row that names nothing in a cluster any more. */
export const goneStates = ["failed", "purged"] as const;

const safetySeconds = 3600;
const alertsMax = 50;
const removalsMax = 10;
// More than these is no leftover but a sign that rows are missing; then nothing is removed.
const suspiciousCount = 10;
const suspiciousShare = 0.2;

type Thing = "database" | "role" | "host";

/** Something no row names: the things of one name. */
export interface Orphan {
  readonly name: string;
  readonly things: readonly Thing[];
}

/** Names that rows and what is under way stand for. */
export function namesInUse(
  rows: readonly Wanted[],
  inputs: readonly Readonly<Record<string, unknown>>[],
): ReadonlySet<string> {
  const names = rows.flatMap((row) => [
    row.databaseName,
    row.ownerRole,
    readerOf(row),
    row.loginRole,
    ...(row.pendingLoginRole === null ? [] : [row.pendingLoginRole]),
  ]);
  const busy = inputs.flatMap((input) =>
    Object.values(input).filter((value) => typeof value === "string"),
  );
  return new Set([...names, ...busy, ...busy.map((name) => readerOf({ ownerRole: name }))]);
}

/** What was found and is not in use: databases first, then logins, then those they belong to. */
export function orphansOf(found: Found, inUse: ReadonlySet<string>): Orphan[] {
  const things = new Map<string, Thing[]>();
  const add = (thing: Thing, names: Iterable<string>) => {
    for (const name of names) {
      if (!inUse.has(name)) things.set(name, [...(things.get(name) ?? []), thing]);
    }
  };
  add("database", found.databases.keys());
  add("host", found.hosts.keys());
  const roles = [...found.roles.keys()];
  const isLogin = (name: string) => name.startsWith("usr_");
  add("role", [...roles.filter(isLogin), ...roles.filter((name) => !isLogin(name))]);
  return [...things].map(([name, kinds]) => ({ name, things: kinds }));
}

/** What an operator is told of orphans without an alert yet; some at a time. */
export function orphanAlerts(
  clusterId: string,
  orphans: readonly Orphan[],
  open: readonly AlertRow[],
): NewAlert[] {
  const known = new Set(open.map(({ subject }) => subject));
  return orphans
    .filter(({ name }) => !known.has(orphanSubject(clusterId, name)))
    .slice(0, alertsMax)
    .map(({ name, things }) => ({
      kind: "orphan",
      subject: orphanSubject(clusterId, name),
      message: `No row names ${name} (${things.join(", ")}); it is removed in an hour.`,
      details: { cluster_id: clusterId, name, things },
    }));
}

/** The subject of the alert about an orphan. */
export function orphanSubject(clusterId: string, name: string): string {
  return `${clusterId}/${name}`;
}

/**
 * Removes, some at a time, what has been an orphan for an hour and still is; the names that are
 * gone. One that cannot be removed stays an alert.
 */
export async function removeOrphans(
  context: Context,
  clusterId: string,
  orphans: readonly Orphan[],
  open: readonly AlertRow[],
  databaseCount: number,
): Promise<ReadonlySet<string>> {
  const past = new Date(context.now().getTime() - safetySeconds * 1000);
  const old = new Set(open.flatMap((each) => (each.createdAt <= past ? [each.subject] : [])));
  const due = orphans.filter(({ name }) => old.has(orphanSubject(clusterId, name)));
  if (due.length === 0) return new Set();
  const lost = orphans.filter(({ things }) => things.includes("database")).length;
  if (lost > suspiciousCount && lost > databaseCount * suspiciousShare) {
    const message = "So many databases without a row are not removed; look at them first";
    context.log({ level: "error", message, cluster: clusterId, databases: lost });
    return new Set();
  }
  const gone = new Set<string>();
  for (const orphan of due.slice(0, removalsMax)) {
    if (await remove(context, clusterId, orphan)) gone.add(orphan.name);
  }
  return gone;
}

async function remove(context: Context, clusterId: string, { name, things }: Orphan) {
  try {
    if (await isNamed(context, name)) return false;
    if (things.includes("database")) await context.cluster.dropOrphan(clusterId, "database", name);
    if (things.includes("host")) await context.cluster.forgetDatabase(clusterId, name);
    if (things.includes("role")) await context.cluster.dropOrphan(clusterId, "role", name);
    context.log({ level: "warning", message: "Removed an orphan", cluster: clusterId, name });
    return true;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    context.log({
      level: "error",
      message: `An orphan stays: ${message}`,
      cluster: clusterId,
      name,
    });
    return false;
  }
}

// Right before it is dropped: whether any cluster's row or anything under way names it after all.
async function isNamed(context: Context, name: string): Promise<boolean> {
  const owner = name.replace(/^ro_/, "own_");
  const [rows, busy] = await context.db.batch([
    context.db
      .select({ id: database.id })
      .from(database)
      .where(
        and(
          notInArray(database.state, [...goneStates]),
          or(
            eq(database.databaseName, name),
            eq(database.ownerRole, owner),
            eq(database.loginRole, name),
            eq(database.pendingLoginRole, name),
          ),
        ),
      )
      .limit(1),
    context.db
      .select({ id: operation.id })
      .from(operation)
      .where(and(isActive, sql`instr(${operation.input}, ${owner}) > 0`))
      .limit(1),
  ]);
  return rows.length + busy.length > 0;
}
