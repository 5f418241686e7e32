// The archive of WAL: how far it is, and commits whose time is known.
import { appendFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { readIfExists, writeAtomically } from "./file.ts";
import type { Heartbeat } from "./recovery-window.ts";
import type { Session } from "./session.ts";

const archivedMilliseconds = 10_000;
/** What Postgres writes by itself while nobody writes stays below that: snapshots, checkpoints. */
const idleBytes = 8192;

/** How archiving goes. */
export interface ArchiveStatus {
  readonly last_archived_wal: string | null;
  readonly last_archived_at: string | null;
  /** Since when a finished segment waits to be archived; null when none does. */
  readonly unarchived_since: string | null;
  readonly failed_count: number;
  /** Bytes of WAL ever written: the difference of two is what was written between. */
  readonly wal_bytes: number;
  /** What was written since the last base backup ended; null when that is not known. */
  readonly written_since_backup_bytes: number | null;
}

/** The archive of one cluster. */
export interface WalArchive {
  status(): Promise<ArchiveStatus>;
  /**
   * Commits now and has that commit archived. Waits until it is, or until it is known that all is
   * that was committed up to a moment; milliseconds since the epoch.
   */
  heartbeat(upTo?: number): Promise<void>;
  /** The same without waiting, when anything was written since the last one. */
  heartbeatIfBusy(): Promise<void>;
  /** Known commits since a moment, in order. */
  heartbeats(): readonly Heartbeat[];
  /** Notes that all that was written until now is in a base backup. */
  backedUp(): Promise<void>;
  /** Marks a point by name. */
  restorePoint(name: string): Promise<{ readonly lsn: string; readonly at: string }>;
}

const Line = z.object({ at: z.number(), wal: z.string() });

// A crash may have torn the last line.
function readHeartbeats(file: string, keptSince: number): Heartbeat[] {
  const lines = (readIfExists(file) ?? "").split("\n");
  return lines.flatMap((text) => {
    try {
      const heartbeat = Line.parse(JSON.parse(text));
      return heartbeat.at < keptSince ? [] : [heartbeat];
    } catch {
      return [];
    }
  });
}

// Recovery to a moment needs a later commit to stop at: the transaction began before it commits.
const beat = `
  insert into miosa.heartbeat values (true, now()) on conflict (id) do update set at = excluded.at
  returning extract(epoch from at)::float8 * 1000 as at`;

const position = `
  select pg_walfile_name(lsn) as wal, lsn::text as lsn, (lsn - '0/0')::float8 as bytes
  from pg_current_wal_insert_lsn() as lsn`;

// Records alone: what a switch of segments leaves empty is none, so that what keeps an archive
// whole is not taken for somebody's writing. It begins anew with a crash.
const written = "select wal_bytes::float8 as bytes from pg_stat_wal";

const facts = `
  select last_archived_wal, last_archived_time, failed_count::int,
    (select min(modification) from pg_ls_archive_statusdir() where name like '%.ready') as waiting
  from pg_stat_archiver`;

interface Facts {
  readonly last_archived_wal: string | null;
  readonly last_archived_time: Date | null;
  readonly failed_count: number;
  readonly waiting: Date | null;
}

type Row<Fields> = Fields & Record<string, unknown>;

async function locate(control: Session) {
  const [at] = await control.query<Row<{ wal: string; lsn: string; bytes: number }>>(position);
  if (at === undefined) throw new Error("Postgres does not say where its WAL is.");
  return at;
}

// What this session itself has written counts at once, not a second later.
async function bytesWritten(control: Session): Promise<number> {
  await control.query("select pg_stat_force_next_flush()");
  const [row] = await control.query<Row<{ bytes: number }>>(written);
  return row?.bytes ?? 0;
}

/** What was written at the end of the last base backup, on disk. */
function openWritten(file: string) {
  const Bytes = z.object({ bytes: z.number() });
  const kept = readIfExists(file);
  let at = kept === undefined ? null : Bytes.parse(JSON.parse(kept)).bytes;
  return {
    since: (bytes: number): number | null => (at === null || bytes < at ? null : bytes - at),
    set(bytes: number): void {
      at = bytes;
      writeAtomically(file, JSON.stringify({ bytes }));
    },
  };
}

async function readFacts(control: Session): Promise<Facts> {
  const [row] = await control.query<Row<Facts>>(facts);
  if (row === undefined) throw new Error("Postgres does not say how archiving goes.");
  return row;
}

/** Where an archive keeps what it knows. */
export interface ArchiveFiles {
  readonly heartbeats: string;
  readonly written: string;
}

/** `control` is a superuser's session in database postgres; `keptDays` how far back one asks. */
export async function openWalArchive(
  control: Session,
  { heartbeats: file, written: writtenFile }: ArchiveFiles,
  keptDays: number,
): Promise<WalArchive> {
  await control.query(`create table if not exists miosa.heartbeat
    (id boolean primary key check (id), at timestamptz not null)`);
  const keptSince = Date.now() - keptDays * 86_400_000;
  const heartbeats = readHeartbeats(file, keptSince);
  writeAtomically(file, heartbeats.map(render).join(""));
  const backup = openWritten(writtenFile);
  let beatAtBytes: number | null = null;

  async function commit(): Promise<Heartbeat> {
    const [row] = await control.query<Row<{ at: number }>>(beat);
    const { wal } = await locate(control);
    beatAtBytes = await bytesWritten(control);
    const heartbeat = { at: Math.floor(row?.at ?? 0), wal };
    appendFileSync(file, render(heartbeat), { mode: 0o600 });
    heartbeats.push(heartbeat);
    return heartbeat;
  }

  return {
    async status() {
      const row = await readFacts(control);
      return {
        last_archived_wal: row.last_archived_wal,
        last_archived_at: row.last_archived_time?.toISOString() ?? null,
        unarchived_since: row.waiting?.toISOString() ?? null,
        failed_count: row.failed_count,
        wal_bytes: (await locate(control)).bytes,
        written_since_backup_bytes: backup.since(await bytesWritten(control)),
      };
    },
    async heartbeat(upTo = Number.POSITIVE_INFINITY) {
      const newest = await commit();
      await control.query("select pg_switch_wal()");
      const { wal } = heartbeats.find(({ at }) => at >= upTo) ?? newest;
      const deadline = performance.now() + archivedMilliseconds;
      while (((await readFacts(control)).last_archived_wal ?? "") < wal) {
        if (performance.now() > deadline) throw new Error("WAL is not archived in time.");
        await delay(20);
      }
    },
    async heartbeatIfBusy() {
      const bytes = await bytesWritten(control);
      beatAtBytes ??= bytes;
      if (Math.abs(bytes - beatAtBytes) > idleBytes) await commit();
    },
    backedUp: async () => backup.set(await bytesWritten(control)),
    heartbeats: () => heartbeats,
    async restorePoint(name) {
      const text = `select pg_create_restore_point('${name.replaceAll("'", "''")}')::text as lsn`;
      const [row] = await control.query<Row<{ lsn: string }>>(text);
      return { lsn: row?.lsn ?? "", at: new Date().toISOString() };
    },
  };
}

function render(heartbeat: Heartbeat): string {
  return `${JSON.stringify(heartbeat)}\n`;
}
