// Reads what databases take on disk, all of a host at once, and has each climb its ladder.
import { and, eq, inArray, isNotNull, sql } from "drizzle-orm";
import type { HostDatabase } from "../contract/database.ts";
import { commit, type Statement, violatedConstraint } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { messageOf } from "../core/error.ts";
import { allHosts } from "../host/find.ts";
import { recordEvent } from "../webhook/event.ts";
import { laneOf } from "./create.ts";
import { beginHold } from "./hold.ts";
import { limitsOf } from "./size.ts";
import { climb, type StorageState } from "./storage.ts";
import { type DatabaseRow, database } from "./table.ts";

const mebibyte = 1024 ** 2;
// Beyond it something got round the ladder, and an operator should know.
const overrunShare = 1.2;
const batchMax = 100;

/** Measures every host; one that does not answer does not keep the others waiting. */
export async function measureStorage(context: Context): Promise<void> {
  for (const { id, name } of await allHosts(context)) {
    try {
      await measureHost(context, id);
    } catch (error) {
      const message = messageOf(error);
      context.log({ level: "warning", message, host: name });
    }
  }
}

async function measureHost(context: Context, hostId: string): Promise<void> {
  const rows = await measurable(context, hostId);
  await compactFull(context, rows);
  const { databases } = await context.host.command(hostId, "inventory", {});
  const bytes = new Map(databases.map((each) => [each.database, bytesOf(each)]));
  const measured = rows.flatMap((row) => {
    const usedBytes = bytes.get(row.databaseName) ?? null;
    return usedBytes === null ? [] : [{ row, usedBytes }];
  });
  const statements = measured.flatMap(({ row, usedBytes }) => follow(context, row, usedBytes));
  const changed = measured.filter(({ row, usedBytes }) => isNews(row, usedBytes));
  if (changed.length > 0) statements.push(note(context, changed));
  for (let at = 0; at < statements.length; at += batchMax) {
    await commit(context, statements.slice(at, at + batchMax));
  }
  for (const { row, usedBytes } of measured) await holdOrRelease(context, row, usedBytes);
}

// Its WAL is the tenant's as much as its data; null where the host has not measured yet.
function bytesOf({ data_bytes, wal_bytes }: HostDatabase): number | null {
  return data_bytes === null || wal_bytes === null ? null : data_bytes + wal_bytes;
}

// In the other states an operation is under way, and nobody writes.
function measurable(context: Context, hostId: string): Promise<DatabaseRow[]> {
  const states = ["running", "suspended", "stopped"] as const;
  return context.db
    .select()
    .from(database)
    .where(and(eq(database.hostId, hostId), inArray(database.state, [...states])));
}

function isNews({ storageBytes, storageMeasuredAt }: DatabaseRow, usedBytes: number): boolean {
  const least = Math.min(mebibyte, storageBytes / 100);
  return storageMeasuredAt === null || Math.abs(usedBytes - storageBytes) >= Math.max(1, least);
}

// One statement for all: a thousand databases are one value. When a row was last changed by
// somebody is not touched: a measurement is nobody's change.
function note(
  context: Context,
  measured: readonly { readonly row: DatabaseRow; readonly usedBytes: number }[],
): Statement {
  const values = JSON.stringify(
    Object.fromEntries(measured.map(({ row, usedBytes }) => [row.id, usedBytes])),
  );
  const found = sql<number>`json_extract(${values}, '$."' || ${database.id} || '"')`;
  return context.db
    .update(database)
    .set({ storageBytes: found, storageMeasuredAt: context.now() })
    .where(isNotNull(found));
}

function nextOf(row: DatabaseRow, usedBytes: number) {
  const limits = limitsOf(row);
  return climb({
    usedBytes,
    allocatedBytes: row.storageAllocatedBytes ?? limits.storageBytes,
    ceilingBytes: limits.storageBytesMax,
    state: row.storageState,
  });
}

function follow(context: Context, row: DatabaseRow, usedBytes: number): Statement[] {
  const limits = limitsOf(row);
  const from = row.storageAllocatedBytes ?? limits.storageBytes;
  const { allocatedBytes: to, state } = nextOf(row, usedBytes);
  const facts = { used_bytes: usedBytes, ceiling_bytes: limits.storageBytesMax };
  const statements: Statement[] = [];
  if (to !== from) {
    const data = { ...facts, from_bytes: from, to_bytes: to };
    statements.push(
      set(context, row, { storageAllocatedBytes: to }),
      recordEvent(context, "database.storage_scaled", row, { data }),
    );
  }
  if (isByItself(row.storageState, state)) {
    const type = state === "warning" ? "database.storage_warning" : "database.storage_normal";
    statements.push(
      set(context, row, { storageState: state }),
      recordEvent(context, type, row, { data: facts }),
    );
  }
  if (usedBytes > limits.storageBytesMax * overrunShare) {
    context.log({ level: "warning", message: "A database is over its ceiling", id: row.id });
  }
  return statements;
}

// From and to full is an operation's work; the rest is only said.
function isByItself(from: StorageState, to: StorageState): boolean {
  return from !== to && from !== "full" && to !== "full";
}

function set(context: Context, row: DatabaseRow, change: Partial<DatabaseRow>): Statement {
  return context.db.update(database).set(change).where(eq(database.id, row.id));
}

async function holdOrRelease(context: Context, row: DatabaseRow, usedBytes: number): Promise<void> {
  const { state } = nextOf(row, usedBytes);
  const isTurn = (state === "full") !== (row.storageState === "full");
  if (!isTurn) return;
  try {
    await commit(context, beginHold(context, row, state, usedBytes));
  } catch (error) {
    if (violatedConstraint(error) === null) throw error;
    return;
  }
  await context.nudge(laneOf(row.projectId));
}

async function compactFull(context: Context, rows: readonly DatabaseRow[]): Promise<void> {
  for (const row of rows) {
    if (row.storageState !== "full" || row.state === "stopped") continue;
    try {
      const { hostId, databaseName: database } = row;
      await context.host.command(hostId, "database.compact", { database });
    } catch (error) {
      const message = messageOf(error);
      context.log({ level: "warning", message, database: row.id });
    }
  }
}
