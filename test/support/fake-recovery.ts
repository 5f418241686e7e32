// Backups, recoveries, dumps and verifications of the hosts in memory.

import type { BackupProblem } from "../../src/contract/backup.ts";
import type { BaseBackup, BaseBackupReport } from "../../src/contract/base-backup.ts";
import type {
  HostCommandInput,
  HostCommandName,
  HostCommandReport,
} from "../../src/contract/command.ts";
import type { StoredDump } from "../../src/contract/dump.ts";
import type { PreviewRequest, RecoveryReport } from "../../src/contract/recovery.ts";
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
    method: "stock",
    repository: 1,
    manifest: { tables: 1, rows: 1, tables_left_out: 0, sha256: "a".repeat(64) },
    checks,
    started_at: at,
    finished_at: at,
  };
}

/** What was asked for. */
export type RecoveryOrder = HostCommandInput<"recovery.start">;

/** The instance that serves a database. */
export function servingOf({ serving }: Pick<Things, "serving">, database: string): string {
  return serving.get(database) ?? `${database}.first`;
}

/** What is kept of backups and recoveries. */
export function createRecoveries() {
  return {
    backups: new Set<string>(),
    /** By database. */
    baseBackups: new Map<string, BaseBackup[]>(),
    backupProblems: [] as BackupProblem[],
    /** Each is over at once. */
    verifications: new Map<string, VerificationReport>(),
    /** What the next verifications find. */
    checks: passedChecks,
    recoveries: new Map<string, RecoveryReport>(),
    orders: new Map<string, RecoveryOrder>(),
    previews: new Map<string, PreviewRequest>(),
    /** Which instance serves a database; the first one when it was never exchanged. */
    serving: new Map<string, string>(),
    /** What is on disk of what was done: it outlives the host program, and `recovery.end`. */
    done: new Map<string, unknown>(),
    /** Tables that were brought back, as database, schema and name. */
    tables: new Set<string>(),
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
    base_backups: async ({ database }) => ({
      base_backups: [...(things.baseBackups.get(database) ?? [])],
    }),
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

/** Does something once; asked again it answers what it answered then. */
async function once<Report>(
  { done }: Things,
  key: string,
  effect: () => Promise<Report>,
): Promise<Report> {
  if (!done.has(key)) done.set(key, await effect());
  return done.get(key) as Report;
}

/** A recovery that is at its target. @throws HostRefusal */
function readyOrder({ recoveries, orders }: Things, id: string, purpose: RecoveryOrder["for"]) {
  const order = found(orders.get(id), "unknown_recovery");
  const { state } = found(recoveries.get(id), "unknown_recovery");
  if (state === "ready" && order.for === purpose) return order;
  throw new HostRefusal("a command", 409, "not_ready", `It is ${state}, for a ${order.for}.`);
}

/** Has another instance serve a database; the one that did is put aside. */
function exchange(things: Things, database: string, hostId: string, instance: string) {
  const former = servingOf(things, database);
  things.aside.set(former, { ...mustExist(things, database, hostId), database });
  things.aside.delete(instance);
  things.serving.set(database, instance);
  return { instance: former };
}

function asideHandlers(
  things: Things,
): Handlers<"recovery.exchange" | "aside.bring_back" | "aside.remove"> {
  const { databases, aside, done } = things;
  return {
    "recovery.exchange": ({ recovery_id: id }, hostId) =>
      once(things, `exchange ${id}`, async () => {
        const { request } = readyOrder(things, id, "restore");
        return exchange(things, request.database, hostId, `${request.database}.${id}`);
      }),
    "aside.bring_back": async ({ database, instance }, hostId) => {
      const key = `bring back ${instance}`;
      if (servingOf(things, database) !== instance) done.delete(key);
      return once(things, key, async () => {
        const back = found(aside.get(instance), "unknown_instance");
        if (back.database !== database) throw unknown("unknown_instance");
        const former = exchange(things, database, hostId, instance);
        // It has the spec it had then, and runs or not as the other one did.
        const { state } = mustExist(things, database, hostId);
        databases.set(database, { hostId, spec: back.spec, state, detail: null });
        return former;
      });
    },
    "aside.remove": async ({ instance }) => {
      aside.delete(instance);
      return {};
    },
  };
}

/** Puts tables beside those that live. @throws HostRefusal 409 when a name is taken */
async function copyTables(
  things: Things,
  { recovery_id: id, tables }: HostCommandInput<"recovery.copy_tables">,
): Promise<HostCommandReport<"recovery.copy_tables">> {
  const { request } = readyOrder(things, id, "restore");
  const names = tables.map(({ schema, name, as = name }) => `${schema}.${as}`);
  const taken = names.find((name) => things.tables.has(`${request.database} ${name}`));
  if (taken !== undefined) {
    throw new HostRefusal("a command", 409, "table_exists", `The table ${taken} exists.`);
  }
  for (const name of names) things.tables.add(`${request.database} ${name}`);
  return { rows: tables.map(() => 1) };
}

function recoveriesOf(
  things: Things,
): Handlers<Extract<HostCommandName, `recovery.${string}` | `aside.${string}`>> {
  const { databases, recoveries, orders, previews } = things;
  return {
    ...asideHandlers(things),
    "recovery.start": async (order) => {
      const { recovery_id } = order;
      if (recoveries.has(recovery_id)) return {};
      recoveries.set(recovery_id, { ...aRecovery, recovery_id });
      orders.set(recovery_id, order);
      return {};
    },
    "recovery.status": async ({ recovery_id }) =>
      found(recoveries.get(recovery_id), "unknown_recovery"),
    "recovery.open": async ({ recovery_id, preview }) => {
      readyOrder(things, recovery_id, "preview");
      previews.set(recovery_id, preview);
      return {};
    },
    "recovery.adopt": ({ recovery_id, database, spec }, hostId) =>
      once(things, `adopt ${recovery_id} ${database}`, async () => {
        readyOrder(things, recovery_id, "restore");
        databases.set(database, { hostId, spec, state: "running", detail: null });
        return {};
      }),
    "recovery.copy_tables": (order) =>
      once(things, `copy ${order.recovery_id}`, () => copyTables(things, order)),
    "recovery.end": async ({ recovery_id }) => {
      for (const known of [recoveries, orders, previews]) known.delete(recovery_id);
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
