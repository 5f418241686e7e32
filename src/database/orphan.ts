// What a host has and no row names. It is told at first sight and stays. After days it is put
// aside, closed and under a dated name, where it stays until a person brings it back or drops it.

import { and, eq, notInArray, or, sql } from "drizzle-orm";
import type { NewAlert } from "../alert/raise.ts";
import type { AlertRow } from "../alert/table.ts";
import type { Context } from "../core/context.ts";
import { messageOf } from "../core/error.ts";
import { isActive, operation } from "../operation/table.ts";
import { type Found, readerOf, type Wanted } from "./drift.ts";
import { database } from "./table.ts";

/** States of a row that names nothing in a host any more. */
export const goneStates = ["failed", "purged"] as const;

const dayMilliseconds = 86_400_000;
const alertsMax = 50;
// More than a few are no leftover but a sign that rows are missing: then they stay where they are.
const asideMax = 3;

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
  { orphanDays: days }: Pick<Context, "orphanDays">,
  hostId: string,
  orphans: readonly Orphan[],
  open: readonly AlertRow[],
): NewAlert[] {
  const then = days === 0 ? "" : ` After ${days} days it goes to the trash, unless many are.`;
  const known = new Set(open.map(({ subject }) => subject));
  return orphans
    .filter(({ name }) => !known.has(orphanSubject(hostId, name)))
    .slice(0, alertsMax)
    .map(({ name, things }) => ({
      kind: "orphan",
      subject: orphanSubject(hostId, name),
      message: `No row names ${name} (${things.join(", ")}). It stays as it is.${then}`,
      details: { host_id: hostId, name, things },
    }));
}

/** The subject of the alert about an orphan. */
export function orphanSubject(hostId: string, name: string): string {
  return `${hostId}/${name}`;
}

/**
 * Puts aside what has been an orphan for days and still is; the names that are gone. None goes
 * while more databases than a few are orphans. One that cannot be put aside stays an alert.
 */
export async function putAsideOrphans(
  context: Context,
  hostId: string,
  orphans: readonly Orphan[],
  open: readonly AlertRow[],
): Promise<ReadonlySet<string>> {
  if (context.orphanDays === 0) return new Set();
  const past = new Date(context.now().getTime() - context.orphanDays * dayMilliseconds);
  const old = new Set(open.flatMap((each) => (each.createdAt <= past ? [each.subject] : [])));
  const due = orphans.filter(({ name }) => old.has(orphanSubject(hostId, name)));
  if (due.length === 0) return new Set();
  const lost = orphans.filter(({ things }) => things.includes("database")).length;
  if (lost > asideMax) {
    const message = "So many databases without a row stay where they are; look at them first";
    context.log({ level: "error", message, host: hostId, databases: lost });
    return new Set();
  }
  const gone = new Set<string>();
  for (const orphan of due) {
    if (await putAside(context, hostId, orphan)) gone.add(orphan.name);
  }
  return gone;
}

async function putAside(context: Context, hostId: string, { name, things }: Orphan) {
  const facts = { host: hostId, name };
  try {
    if (await isNamed(context, name)) return false;
    const day = context.now().toISOString().slice(0, 10);
    for (const kind of ["database", "role"] as const) {
      if (things.includes(kind)) await context.host.trashOrphan(hostId, kind, name, day);
    }
    // Settings of the poolers alone: no data is in them.
    if (things.includes("host")) await context.host.forgetDatabase(hostId, name);
    context.log({ level: "warning", message: "Put an orphan aside", ...facts });
    return true;
  } catch (error) {
    context.log({ level: "error", message: `An orphan stays: ${messageOf(error)}`, ...facts });
    return false;
  }
}

// Right before it is put aside: whether any host's row or anything under way names it after all.
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
