// Backups, recoveries, dumps and verifications of the hosts in memory.
import type { BaseBackup, BaseBackupReport } from "../../src/contract/base-backup.ts";
import type { StoredDump } from "../../src/contract/dump.ts";
import type { BackupProblem } from "../../src/contract/instance/backup.ts";
import type { HostCommandName } from "../../src/contract/instance/command.ts";
import type {
  PreviewRequest,
  RecoveryReport,
  RecoveryRequest,
} from "../../src/contract/instance/recovery.ts";
import type { VerificationReport, VerifiedDatabase } from "../../src/contract/verification.ts";
import { HostRefusal } from "../../src/core/error.ts";
import { type Handlers, mustExist, type Things } from "./fake-host.ts";

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
  step: "replay",
  step_milliseconds: {},
  bytes_total: 1,
  bytes_restored: 1,
  backup_label: "20260101-000000F",
  repository: 1,
  start_lsn: "0/1",
  replayed_lsn: "0/1",
  reached_at: "2026-01-01T00:00:00.000000Z",
  evidence: "recovery stopping before commit of transaction 1, time 2026-01-01",
  passed_over: [],
  error: null,
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

/** What is kept of backups and recoveries. */
export function createRecoveries() {
  return {
    backups: new Set<string>(),
    baseBackups: [] as BaseBackup[],
    backupProblems: [] as BackupProblem[],
    /** Each is over at once. */
    verifications: new Map<string, VerificationReport>(),
    /** What the next verifications find. */
    checks: passedChecks,
    recoveries: new Map<string, RecoveryReport>(),
    requests: new Map<string, RecoveryRequest>(),
    previews: new Map<string, PreviewRequest>(),
    /** What can be recovered. */
    spans: [{ from: "2000-01-01T00:00:00.000Z", to: "2100-01-01T00:00:00.000Z" }],
    /** Each is whole at once. */
    dumps: new Map<string, StoredDump>(),
  };
}

/** A dump as a host keeps it. */
export function aDump(dumpId: string, madeWith = "pg_dump (PostgreSQL) 17.6"): StoredDump {
  const stored_at = "2026-01-01T00:00:00.000Z";
  return { dump_id: dumpId, size_bytes: 5, sha256: "a".repeat(64), stored_at, made_with: madeWith };
}

function unknown(code: string): HostRefusal {
  return new HostRefusal("a command", 404, code, "There is none of this id.");
}

/** What there is, or a refusal. */
function found<Thing>(thing: Thing | undefined, code: string): Thing {
  if (thing === undefined) throw unknown(code);
  return thing;
}

type BackupCommand =
  | `base_backup${string}`
  | "backup.problems"
  | "recovery_window"
  | "restore_point.create";

function backupHandlers(things: Things): Handlers<Extract<HostCommandName, BackupCommand>> {
  const { backups } = things;
  return {
    "base_backup.start": async ({ backup_id, database }, hostId) => {
      mustExist(things, database, hostId);
      backups.add(backup_id);
      return {};
    },
    "base_backup.status": async ({ backup_id }) =>
      found(backups.has(backup_id) ? aBackup : undefined, "unknown_backup"),
    base_backups: async () => ({ base_backups: things.baseBackups }),
    "backup.problems": async () => ({ problems: things.backupProblems }),
    recovery_window: async () => ({ spans: things.spans }),
    "restore_point.create": async ({ database }, hostId) => {
      mustExist(things, database, hostId);
      return { lsn: "0/1", at: begun };
    },
  };
}

function verificationHandlers(
  things: Things,
): Handlers<Extract<HostCommandName, `verification.${string}`>> {
  const { verifications } = things;
  return {
    "verification.start": async ({ verification_id, databases }) => {
      const verified = databases.map(({ database_id }) => aVerified(database_id, things.checks));
      const versions = { postgres: "17.6", pgbackrest: "2.55.1", host: "0.1.0" };
      const done = verified.length;
      const over = {
        state: "succeeded",
        done,
        error: null,
        versions,
        databases: verified,
      } as const;
      if (!verifications.has(verification_id)) verifications.set(verification_id, over);
      return {};
    },
    "verification.status": async ({ verification_id }) =>
      found(verifications.get(verification_id), "unknown_verification"),
    "verification.end": async ({ verification_id }) => {
      verifications.delete(verification_id);
      return {};
    },
  };
}

function dumpHandlers(things: Things): Handlers<Extract<HostCommandName, `dump${string}`>> {
  const { dumps } = things;
  return {
    "dump.start": async ({ dump_id, database }, hostId) => {
      mustExist(things, database, hostId);
      if (!dumps.has(dump_id)) dumps.set(dump_id, aDump(dump_id));
      return {};
    },
    "dump.status": async ({ dump_id }) => {
      const stored = found(dumps.get(dump_id), "unknown_dump");
      const bytes_done = stored.size_bytes;
      return { state: "succeeded", position: 0, bytes_done, error: null, stored };
    },
    "dump.remove": async ({ dump_id }) => {
      dumps.delete(dump_id);
      return {};
    },
    dumps: async () => ({ dumps: [...dumps.values()] }),
  };
}

function asideHandlers(
  things: Things,
): Handlers<"recovery.exchange" | "aside.bring_back" | "aside.remove"> {
  const { databases, aside, requests } = things;
  let asides = 0;
  const putAside = (database: string, hostId: string) => {
    const instance = `${database}.${++asides}`;
    aside.set(instance, { ...mustExist(things, database, hostId), database });
    return { instance };
  };
  return {
    "recovery.exchange": async ({ recovery_id }, hostId) => {
      const { database } = found(requests.get(recovery_id), "unknown_recovery");
      return putAside(database, hostId);
    },
    "aside.bring_back": async ({ database, instance }, hostId) => {
      const { spec, state, detail } = found(aside.get(instance), "unknown_instance");
      const former = putAside(database, hostId);
      aside.delete(instance);
      databases.set(database, { hostId, spec, state, detail });
      return former;
    },
    "aside.remove": async ({ instance }) => {
      aside.delete(instance);
      return {};
    },
  };
}

function recoveriesOf(
  things: Things,
): Handlers<Extract<HostCommandName, `recovery.${string}` | `aside.${string}`>> {
  const { databases, recoveries, requests, previews } = things;
  return {
    ...asideHandlers(things),
    "recovery.start": async ({ recovery_id, request }) => {
      if (recoveries.has(recovery_id)) return {};
      recoveries.set(recovery_id, { ...aRecovery, recovery_id });
      requests.set(recovery_id, request);
      return {};
    },
    "recovery.status": async ({ recovery_id }) =>
      found(recoveries.get(recovery_id), "unknown_recovery"),
    "recovery.open": async ({ recovery_id, preview }) => {
      found(recoveries.get(recovery_id), "unknown_recovery");
      previews.set(recovery_id, preview);
      return {};
    },
    "recovery.adopt": async ({ recovery_id, database, spec }, hostId) => {
      found(recoveries.get(recovery_id), "unknown_recovery");
      databases.set(database, { hostId, spec, state: "running", detail: null });
      return {};
    },
    "recovery.copy_tables": async ({ tables }) => ({ rows: tables.map(() => 1) }),
    "recovery.end": async ({ recovery_id }) => {
      recoveries.delete(recovery_id);
      requests.delete(recovery_id);
      previews.delete(recovery_id);
      return {};
    },
  };
}

type PastCommand =
  | BackupCommand
  | `recovery.${string}`
  | `aside.${string}`
  | `dump${string}`
  | `verification.${string}`;

/** What the hosts do with the past. */
export function recoveryHandlers(things: Things): Handlers<Extract<HostCommandName, PastCommand>> {
  return {
    ...backupHandlers(things),
    ...recoveriesOf(things),
    ...dumpHandlers(things),
    ...verificationHandlers(things),
  };
}
