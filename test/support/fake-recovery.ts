// Backups and recoveries of the host in memory.

import type { ArchiveReport } from "../../src/contract/archive.ts";
import type { BaseBackupReport } from "../../src/contract/base-backup.ts";
import type { StoredDump } from "../../src/contract/dump.ts";
import type { PreviewRequest } from "../../src/contract/preview.ts";
import type { RecoveryReport } from "../../src/contract/recovery.ts";
import type { VerificationReport, VerifiedDatabase } from "../../src/contract/verification.ts";
import type { LocalHostPort } from "../../src/host/port.ts";
import type { Things } from "./fake-host.ts";

/** How archiving goes where nothing was written. */
export const idleArchive: ArchiveReport = {
  last_archived_wal: null,
  last_archived_at: null,
  unarchived_since: null,
  failed_count: 0,
  wal_bytes: 0,
  written_since_backup_bytes: null,
  store: null,
};

const begun = "2026-01-01T00:00:00.000Z";
// It was made at once.
const aBackup: BaseBackupReport = {
  state: "succeeded",
  started_at: begun,
  ended_at: begun,
  error: null,
};

// One that was at its target at once.
const aRecovery: RecoveryReport = {
  recovery_id: "019a7c5e-8f00-7000-8000-000000000000",
  state: "ready",
  position: 0,
  step: "admit",
  step_milliseconds: {},
  bytes_total: 1,
  bytes_restored: 1,
  backup_label: "20260101-000000F",
  method: "filtered",
  repository: 1,
  start_lsn: "0/1",
  replayed_lsn: "0/1",
  reached_at: "2026-01-01T00:00:00.000000Z",
  evidence: "recovery stopping before commit of transaction 1, time 2026-01-01",
  passed_over: [],
  database: null,
  error: null,
  load: null,
};

const checkNames = ["restore", "content", "indexes", "checksums", "repository"] as const;

/** What a verification finds where all is whole. */
export const passedChecks: VerifiedDatabase["checks"] = checkNames.map((name) => ({
  name,
  result: "passed",
  detail: "It is whole.",
  milliseconds: 1,
}));

/** A database that was verified. */
function aVerified(database_id: string, checks: VerifiedDatabase["checks"]): VerifiedDatabase {
  const at = "2026-01-01T00:00:00.000Z";
  return {
    database_id,
    restore_point: { name: "miosa_verify_1", lsn: "0/1", at },
    reached_at: aRecovery.reached_at,
    evidence: 'recovery stopping at restore point "miosa_verify_1"',
    backup_label: aRecovery.backup_label,
    method: "filtered",
    repository: 1,
    manifest: { tables: 1, rows: 1, tables_left_out: 0, sha256: "a".repeat(64) },
    checks,
    started_at: at,
    finished_at: at,
  };
}

/** The effects on verifications. */
export function verificationEffects(things: Things) {
  const { verifications } = things;
  return {
    startVerification: async (id, targets) => {
      const databases = targets.map(({ database_id }) => aVerified(database_id, things.checks));
      const versions = { postgres: "17.6", pgbackrest: "2.55.1", host: "0.1.0" };
      const done = databases.length;
      const over = { state: "succeeded", done, error: null, versions, databases } as const;
      if (!verifications.has(id)) verifications.set(id, over);
    },
    verification: async (id) => verifications.get(id) ?? null,
    endVerification: async (id) => {
      verifications.delete(id);
    },
  } satisfies Partial<LocalHostPort>;
}

/** What is kept of backups and recoveries. */
export function createRecoveries() {
  return {
    backups: new Set<string>(),
    /** Each is over at once. */
    verifications: new Map<string, VerificationReport>(),
    /** What the next verifications find. */
    checks: passedChecks,
    recoveries: new Map<string, RecoveryReport>(),
    previews: new Map<string, PreviewRequest>(),
    oids: new Map<string, number>(),
    /** What can be recovered. */
    spans: [{ from: "2000-01-01T00:00:00.000Z", to: "2100-01-01T00:00:00.000Z" }],
    /** Each is whole at once. */
    dumps: new Map<string, StoredDump>(),
  };
}

// Numbers are given when somebody asks: a rename takes them along.
function oidOf({ databases, oids }: Things, name: string): number | null {
  if (!databases.has(name)) return null;
  const oid = oids.get(name) ?? 16_384 + oids.size;
  oids.set(name, oid);
  return oid;
}

function rename(things: Things, from: string, to: string): void {
  const oid = oidOf(things, from);
  const found = things.databases.get(from);
  if (found === undefined || oid === null) return;
  things.databases.delete(from);
  things.oids.delete(from);
  things.databases.set(to, found);
  things.oids.set(to, oid);
}

/** A dump as a host keeps it. */
export function aDump(dumpId: string, madeWith = "pg_dump (PostgreSQL) 17.6"): StoredDump {
  const stored_at = "2026-01-01T00:00:00.000Z";
  return { dump_id: dumpId, size_bytes: 5, sha256: "a".repeat(64), stored_at, made_with: madeWith };
}

/** The effects on dumps. */
export function dumpEffects({ databases, dumps }: Things) {
  return {
    startDump: async (dumpId, { database }) => {
      if (!databases.has(database)) throw new Error("The database does not exist.");
      if (!dumps.has(dumpId)) dumps.set(dumpId, aDump(dumpId));
    },
    dump: async (dumpId) => {
      const stored = dumps.get(dumpId);
      if (stored === undefined) return null;
      const bytes_done = stored.size_bytes;
      return { state: "succeeded", position: 0, bytes_done, error: null, stored };
    },
    removeDump: async (dumpId) => {
      dumps.delete(dumpId);
    },
    dumps: async () => [...dumps.values()],
  } satisfies Partial<LocalHostPort>;
}

/** The effects on them. */
export function recoveryEffects(things: Things) {
  const { databases, roles, backups, recoveries, previews } = things;
  return {
    oidOf: async (name) => oidOf(things, name),
    createTwin: async (name, owner) => {
      databases.set(name, { owner });
    },
    dropTwin: async (name) => {
      databases.delete(name);
    },
    swapDatabases: async ({ live, twin, aside }) => {
      if (!databases.has(twin) && !databases.has(aside)) throw new Error("There is no twin.");
      if (!databases.has(twin)) return;
      rename(things, live, aside);
      rename(things, twin, live);
    },
    startBaseBackup: async (backupId) => {
      backups.add(backupId);
    },
    baseBackup: async (backupId) => (backups.has(backupId) ? aBackup : null),
    baseBackups: async () => [],
    expireBackups: async () => true,
    archiveStatus: async () => idleArchive,
    recoveryWindow: async () => things.spans,
    restorePoint: async () => ({ lsn: "0/1", at: "2026-01-01T00:00:00.000Z" }),
    startRecovery: async (recoveryId) => {
      if (!recoveries.has(recoveryId)) recoveries.set(recoveryId, aRecovery);
    },
    recovery: async (recoveryId) => recoveries.get(recoveryId) ?? null,
    loadRecovery: async (recoveryId, { database }) => {
      if (!databases.has(database)) throw new Error("The database does not exist.");
      const load = { database, state: "succeeded", error: null } as const;
      recoveries.set(recoveryId, { ...aRecovery, load });
    },
    openPreview: async (recoveryId, preview) => {
      if (!recoveries.has(recoveryId)) throw new Error("There is no such recovery.");
      previews.set(recoveryId, preview);
      databases.set(preview.name, { owner: preview.login });
      roles.set(preview.login, { verifier: preview.verifier, group: null });
    },
    endRecovery: async (recoveryId) => {
      recoveries.delete(recoveryId);
      const { name = "", login = "" } = previews.get(recoveryId) ?? {};
      databases.delete(name);
      roles.delete(login);
    },
  } satisfies Partial<LocalHostPort>;
}
