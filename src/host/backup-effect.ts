// The effects on backups, dumps and recoveries, all commands to the host.

import { HostRefusal } from "./host.ts";
import type { HostCommander } from "./host-effect.ts";
import type { LocalHostPort } from "./port.ts";

type BackupEffects = Pick<
  LocalHostPort,
  | "swapDatabases"
  | "startBaseBackup"
  | "baseBackup"
  | "baseBackups"
  | "expireBackups"
  | "archiveStatus"
  | "recoveryWindow"
  | "restorePoint"
  | "startRecovery"
  | "recovery"
  | "loadRecovery"
  | "openPreview"
  | "endRecovery"
  | "startVerification"
  | "verification"
  | "endVerification"
  | "startDump"
  | "dump"
  | "removeDump"
  | "dumps"
>;

/** Binds the effects to one host. */
export function backupEffects(command: HostCommander): BackupEffects {
  return {
    swapDatabases: async (swap) => {
      await command("database.swap", swap);
    },
    startBaseBackup: async (backup_id, type) => {
      await command("base_backup.start", { backup_id, type });
    },
    baseBackup: (backup_id) =>
      orNull("unknown_backup", () => command("base_backup.status", { backup_id })),
    baseBackups: async () => (await command("base_backups", {})).base_backups,
    expireBackups: async () => (await command("base_backup.expire", {})).is_done,
    archiveStatus: () => command("archive", {}),
    recoveryWindow: async (about) => {
      const input = about === undefined ? {} : { about: about.toISOString() };
      return (await command("recovery_window", input)).spans;
    },
    restorePoint: (name) => command("restore_point.create", { name }),
    startRecovery: async (recovery_id, request) => {
      await command("recovery.start", { recovery_id, request });
    },
    recovery: (recovery_id) =>
      orNull("unknown_recovery", () => command("recovery.status", { recovery_id })),
    loadRecovery: async (recovery_id, into) => {
      await command("recovery.load", { recovery_id, into });
    },
    openPreview: async (recovery_id, preview) => {
      await command("recovery.open", { recovery_id, preview });
    },
    endRecovery: async (recovery_id) => {
      await command("recovery.end", { recovery_id });
    },
    startVerification: async (verification_id, databases) => {
      await command("verification.start", { verification_id, databases: [...databases] });
    },
    verification: (verification_id) =>
      orNull("unknown_verification", () => command("verification.status", { verification_id })),
    endVerification: async (verification_id) => {
      await command("verification.end", { verification_id });
    },
    startDump: async (dump_id, from) => {
      await command("dump.start", { dump_id, from });
    },
    dump: (dump_id) => orNull("unknown_dump", () => command("dump.status", { dump_id })),
    removeDump: async (dump_id) => {
      await command("dump.remove", { dump_id });
    },
    dumps: async () => (await command("dumps", {})).dumps,
  };
}

async function orNull<Result>(code: string, ask: () => Promise<Result>): Promise<Result | null> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof HostRefusal && error.code === code) return null;
    throw error;
  }
}
