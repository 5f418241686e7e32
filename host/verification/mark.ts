// A restore point at which it is known what is in a database. Nothing may be committed between the
// snapshot that is read and the point in WAL: mostly there is such a moment, and nobody waits for
// anything. Where somebody always writes, tables are locked for a few milliseconds, and those that
// are being written to just then are left out.
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "pg";
import type { VerifiedDatabase } from "../../src/contract/verification.ts";
import type { Session } from "../base/session.ts";
import { holderRole, readerRole } from "../instance/reader.ts";
import { type Manifest, ownTables, readAll, type Source, withReader } from "./content.ts";

/** A restore point. */
export type Point = VerifiedDatabase["restore_point"];

/** A restore point, and what was in the database at it. */
export interface Marked {
  readonly point: Point;
  readonly manifest: Manifest;
}

// Somebody who writes now has finished soon, mostly.
const tries = 20;
const pauseMilliseconds = 50;
/** Longer than that nobody waits for locks of ours, whatever becomes of this program. */
const heldSeconds = 5;

interface PointRow extends Record<string, unknown> {
  readonly lsn: string;
  readonly at: string;
}

/** Gives this moment a name in WAL. `session` is the platform's. */
async function nameMoment(session: Session): Promise<Point> {
  // Recovery stops at the first one of a name.
  const name = `miosa_verify_${randomBytes(16).toString("hex")}`;
  const [row] = await session.query<PointRow>(`
    select pg_create_restore_point('${name}')::text as lsn,
      to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at`);
  if (row === undefined) throw new Error("Postgres made no restore point.");
  return { name, lsn: row.lsn, at: row.at };
}

/** Has WAL up to now written to disk. @returns the number of the transaction that did */
async function flush(session: Session): Promise<string> {
  // The only way that costs no checkpoint: a transaction that wrote something.
  const [row] = await session.query<{ xid: string }>(
    "select pg_current_xact_id()::text as xid, pg_logical_emit_message(true, 'miosa', '')",
  );
  return row?.xid ?? "";
}

/** Names a moment in which nothing is being written; undefined when it was none. */
async function markQuiet(reader: Client, session: Session): Promise<Point | undefined> {
  await reader.query("begin isolation level repeatable read read only");
  const { rows } = await reader.query<{ snapshot: string }>(
    "select pg_current_snapshot()::text as snapshot",
  );
  const [oldest, next] = rows[0]?.snapshot.split(":") ?? [];
  if (oldest === next) {
    const point = await nameMoment(session);
    // With the number that was next at the snapshot, nobody has begun to write since.
    if ((await flush(session)) === next) return point;
  }
  await reader.query("rollback");
  return undefined;
}

// Nobody waits: what somebody writes to at this moment stays without a lock. Half of the locks
// there are stay the tenant's.
const lockIdle = `do $$ declare t text; begin
  for t in select format('%I.%I', n.nspname, c.relname) ${ownTables} order by c.oid
    limit current_setting('max_locks_per_transaction')::int
      * current_setting('max_connections')::int / 2
  loop
    begin
      execute 'lock table only ' || t || ' in share mode nowait';
    exception
      when lock_not_available or insufficient_privilege or undefined_table then null;
    end;
  end loop; end $$`;

const held = `
  select c.oid::text, exists (select from pg_locks where pid = pg_backend_pid()
    and relation = c.oid and mode = 'ShareLock' and granted) as is_still ${ownTables}`;

/** Holds tables still, as far as nobody writes to them just then. @returns which */
async function holdStill(holder: Client): Promise<ReadonlySet<string>> {
  await holder.query(`set idle_in_transaction_session_timeout = '${heldSeconds}s'`);
  for (let tried = 1; ; tried++) {
    await holder.query("begin");
    await holder.query(lockIdle);
    const { rows } = await holder.query<{ oid: string; is_still: boolean }>(held);
    const still = rows.filter(({ is_still }) => is_still);
    if (tried === tries || still.length === rows.length) {
      return new Set(still.map(({ oid }) => oid));
    }
    await holder.query("rollback");
    await delay(pauseMilliseconds);
  }
}

/**
 * Reads what is in a living database at a moment that is named in WAL.
 * @throws Error when it cannot be read
 */
export async function readMarked(
  source: Source,
  session: Session,
  signal: AbortSignal,
): Promise<Marked> {
  return withReader(source, readerRole, async (reader) => {
    for (let tried = 1; tried <= tries; tried++) {
      signal.throwIfAborted();
      const point = await markQuiet(reader, session);
      if (point !== undefined)
        return { point, manifest: await readAll(reader, () => true, signal) };
      await delay(pauseMilliseconds);
    }
    await reader.query("begin isolation level repeatable read read only");
    const { still, point } = await withReader(source, holderRole, async (holder) => {
      const still = await holdStill(holder);
      // The first query takes the snapshot.
      await reader.query("select pg_current_snapshot()");
      return { still, point: await nameMoment(session) };
    });
    await flush(session);
    return { point, manifest: await readAll(reader, (oid) => still.has(oid), signal) };
  });
}

/** Names a moment of a database that nobody can look into. */
export async function markOnly(session: Session): Promise<Point> {
  const point = await nameMoment(session);
  await flush(session);
  return point;
}
