// What a host has and no row names. It is told at first sight and stays. After days it is stopped:
// that is the trash, where it stays until a person starts it again or removes it.
import { and, eq, notInArray, sql } from "drizzle-orm";
import { type NewAlert, resolveAlerts } from "../alert/raise.ts";
import { type AlertRow, alert } from "../alert/table.ts";
import type { HostDatabase } from "../contract/database.ts";
import type { Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { messageOf } from "../core/error.ts";
import { isActive, operation } from "../operation/table.ts";
import type { Found } from "./drift.ts";
import { database, spare } from "./table.ts";

/** States of a row that names nothing on a host any more. */
export const goneStates = ["failed", "purged"] as const;

const dayMilliseconds = 86_400_000;
const alertsMax = 50;
// More than a few are no leftover but a sign that rows are missing: then they go on as they are.
const stoppedMax = 3;

/** Names that rows and what is under way stand for. */
export function namesInUse(
  rows: readonly { readonly databaseName: string }[],
  inputs: readonly Readonly<Record<string, unknown>>[],
): ReadonlySet<string> {
  const busy = inputs.flatMap((input) =>
    Object.values(input).filter((value) => typeof value === "string"),
  );
  return new Set([...rows.map((row) => row.databaseName), ...busy]);
}

/** What was found and is not in use. */
export function orphansOf(found: Found, inUse: ReadonlySet<string>): HostDatabase[] {
  return [...found.values()].filter(({ database: name }) => !inUse.has(name));
}

/** What an operator is told of orphans without an alert yet; some at a time. */
export function orphanAlerts(
  { orphanDays: days }: Pick<Context, "orphanDays">,
  hostId: string,
  orphans: readonly HostDatabase[],
  open: readonly AlertRow[],
): NewAlert[] {
  const then = days === 0 ? "" : ` After ${days} days it is stopped, unless many are.`;
  const known = new Set(open.map(({ subject }) => subject));
  return orphans
    .filter(({ database: name }) => !known.has(orphanSubject(hostId, name)))
    .slice(0, alertsMax)
    .map(({ database: name, state }) => ({
      kind: "orphan",
      subject: orphanSubject(hostId, name),
      message: `No row names the database ${name} (${state}). It stays as it is.${then}`,
      details: { host_id: hostId, name },
    }));
}

/** The subject of the alert about an orphan. */
export function orphanSubject(hostId: string, name: string): string {
  return `${hostId}/${name}`;
}

/** Begins the days of an orphan anew: the next look tells of it again. */
export function forgetOrphan(context: Context, hostId: string, name: string): Statement {
  return resolveAlerts(context, "orphan", eq(alert.subject, orphanSubject(hostId, name)));
}

/**
 * Stops what has been an orphan for days and still is. None is stopped while more than a few are
 * orphans. One that cannot be stopped goes on as it is. How many were.
 */
export async function stopOrphans(
  context: Context,
  hostId: string,
  orphans: readonly HostDatabase[],
  open: readonly AlertRow[],
): Promise<number> {
  if (context.orphanDays === 0) return 0;
  const past = new Date(context.now().getTime() - context.orphanDays * dayMilliseconds);
  const old = new Set(open.flatMap((each) => (each.createdAt <= past ? [each.subject] : [])));
  const going = orphans.filter(({ state }) => state !== "stopped");
  const due = going.filter(({ database: name }) => old.has(orphanSubject(hostId, name)));
  if (due.length === 0) return 0;
  if (going.length > stoppedMax) {
    const message = "So many databases without a row go on as they are; look at them first";
    context.log({ level: "error", message, host: hostId, databases: going.length });
    return 0;
  }
  let stopped = 0;
  for (const { database: name } of due) {
    if (await stopOrphan(context, hostId, name)) stopped++;
  }
  return stopped;
}

async function stopOrphan(context: Context, hostId: string, name: string): Promise<boolean> {
  const facts = { host: hostId, name };
  try {
    if (await isNamed(context, name)) return false;
    await context.host.command(hostId, "database.stop", { database: name });
    context.log({ level: "warning", message: "Stopped an orphan", ...facts });
    return true;
  } catch (error) {
    const message = `An orphan goes on: ${messageOf(error)}`;
    context.log({ level: "error", message, ...facts });
    return false;
  }
}

/** Names that rows and spares of a host stand for, and what is under way anywhere. */
export async function namedOn(context: Context, hostId: string): Promise<ReadonlySet<string>> {
  const [rows, spares, busy] = await context.db.batch([
    context.db
      .select({ databaseName: database.databaseName })
      .from(database)
      .where(and(eq(database.hostId, hostId), notInArray(database.state, [...goneStates]))),
    context.db
      .select({ databaseName: spare.databaseName })
      .from(spare)
      .where(eq(spare.hostId, hostId)),
    context.db.select({ input: operation.input }).from(operation).where(isActive),
  ]);
  const inputs = busy.map(({ input }) => input);
  return namesInUse([...rows, ...spares], inputs);
}

/** Whether any host's row, a spare or anything under way names a database after all. */
export async function isNamed(context: Context, name: string): Promise<boolean> {
  const [rows, spares, busy] = await context.db.batch([
    context.db
      .select({ id: database.id })
      .from(database)
      .where(and(eq(database.databaseName, name), notInArray(database.state, [...goneStates]))),
    context.db.select({ id: spare.id }).from(spare).where(eq(spare.databaseName, name)),
    context.db
      .select({ id: operation.id })
      .from(operation)
      .where(and(isActive, sql`instr(${operation.input}, ${name}) > 0`))
      .limit(1),
  ]);
  return rows.length + spares.length + busy.length > 0;
}
