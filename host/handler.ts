import type { BaseBackup } from "./backrest.ts";
import type { Backup } from "./backup.ts";
import type { Cluster } from "./cluster.ts";
import type { CommandHandlers } from "./command.ts";
import { layout } from "./config.ts";
import type { Databases } from "./database.ts";
import { settingsIn } from "./database-file.ts";
import type { Dumps } from "./dump-queue.ts";
import { searchLogs } from "./log-search.ts";
import { openMark } from "./mark.ts";
import type { Recoveries } from "./recovery.ts";
import { createStatus, hostVersion } from "./status.ts";
import { createVerifications, type Verifications } from "./verification.ts";

/** What carries out each command on this cluster. */
export function createHandlers(
  cluster: Cluster,
  databases: Databases,
  backup: Backup,
  recoveries: Recoveries,
  dumps: Dumps,
): CommandHandlers {
  const facts = createStatus(cluster.config, cluster.control, cluster.consoles.transaction);
  const { config, incidents } = cluster;
  const takeMark = openMark(layout(config.directory).mark);
  const { journal } = databases;
  return {
    ...backupHandlers(backup),
    "database.swap": async (names) => {
      await databases.swap(names);
      return {};
    },
    ...recoveryHandlers(recoveries),
    ...dumpHandlers(dumps),
    ...verificationHandlers(
      createVerifications({ config, backup, recoveries, versions: () => versionsOf(facts) }),
    ),
    status: facts,
    ...databaseHandlers(cluster, databases),
    incidents: async ({ after_seq, limit }) => ({
      incidents: [...incidents.after(after_seq, limit)],
      last_seq: incidents.lastSeq(),
    }),
    mark: async ({ mark, expected, adopt }) => takeMark(mark, expected, adopt),
    "database.logs": (query) => searchLogs(layout(config.directory).log, query),
    "database.metrics": async ({ database, window_seconds }) => ({
      points: await databases.metrics.of(database, window_seconds),
    }),
    report: async ({ after_seq, limit }) => ({
      transitions: [...journal.after(after_seq, limit)],
      last_seq: journal.lastSeq(),
    }),
  };
}

type DatabaseCommand = "inventory" | `database.${"configure" | "forget" | "stop" | "start"}`;

function databaseHandlers(
  cluster: Cluster,
  { file, lifecycle, renewMemory }: Databases,
): Pick<CommandHandlers, Extract<keyof CommandHandlers, DatabaseCommand>> {
  return {
    "database.configure": async ({ database, settings }) => {
      const { bytes_per_backend: before } = file.all.get(database) ?? {};
      await file.change(database, settings);
      if (before !== settings.bytes_per_backend) renewMemory();
      cluster.weights.weigh(database, settings.cpu_weight);
      return {};
    },
    "database.forget": async ({ database }) => {
      await file.change(database, undefined);
      return {};
    },
    inventory: async () => ({
      databases: [...file.all].map(([database, wanted]) => ({
        database,
        state: wanted.state ?? "running",
        settings: settingsIn(wanted),
      })),
    }),
    "database.stop": async ({ database }) => {
      await lifecycle.stop(database);
      return {};
    },
    "database.start": async ({ database }) => {
      await lifecycle.start(database);
      return {};
    },
  };
}

type RecoveryCommand = Extract<keyof CommandHandlers, `recovery.${string}`>;

function recoveryHandlers(recoveries: Recoveries): Pick<CommandHandlers, RecoveryCommand> {
  return {
    "recovery.start": async ({ recovery_id, request }) => {
      recoveries.start(recovery_id, request);
      return {};
    },
    "recovery.status": async ({ recovery_id }) => recoveries.statusOf(recovery_id),
    "recovery.load": async ({ recovery_id, into }) => {
      recoveries.load(recovery_id, into);
      return {};
    },
    "recovery.open": async ({ recovery_id, preview }) => {
      await recoveries.open(recovery_id, preview);
      return {};
    },
    "recovery.end": async ({ recovery_id }) => {
      await recoveries.end(recovery_id);
      return {};
    },
  };
}

type DumpCommand = Extract<keyof CommandHandlers, `dump${string}`>;

function dumpHandlers(dumps: Dumps): Pick<CommandHandlers, DumpCommand> {
  return {
    "dump.start": async ({ dump_id, from }) => {
      dumps.start(dump_id, from);
      return {};
    },
    "dump.status": async ({ dump_id }) => dumps.statusOf(dump_id),
    "dump.remove": async ({ dump_id }) => {
      await dumps.remove(dump_id);
      return {};
    },
    dumps: async () => ({ dumps: dumps.store.list() }),
  };
}

type VerificationCommand = Extract<keyof CommandHandlers, `verification.${string}`>;

function verificationHandlers(
  verifications: Verifications,
): Pick<CommandHandlers, VerificationCommand> {
  return {
    "verification.start": async ({ verification_id, databases }) => {
      verifications.start(verification_id, databases);
      return {};
    },
    "verification.status": async ({ verification_id }) => verifications.statusOf(verification_id),
    "verification.end": async ({ verification_id }) => {
      await verifications.end(verification_id);
      return {};
    },
  };
}

async function versionsOf(facts: CommandHandlers["status"]) {
  const { postgres_version: postgres, pgbackrest_version: pgbackrest } = await facts({});
  return { postgres, pgbackrest, host: hostVersion };
}

type BackupCommand =
  | "archive"
  | `base_backup${string}`
  | "recovery_window"
  | "restore_point.create";

function backupHandlers({
  base,
  archive,
  store,
  list,
  window,
}: Backup): Pick<CommandHandlers, Extract<keyof CommandHandlers, BackupCommand>> {
  return {
    "base_backup.start": async ({ backup_id, type }) => {
      base.start(backup_id, type);
      return {};
    },
    "base_backup.status": async ({ backup_id }) => base.stateOf(backup_id),
    base_backups: async () => ({ base_backups: (await list()).map(reportBackup) }),
    "base_backup.expire": async () => ({ is_done: await base.expire() }),
    archive: async () => ({ ...(await archive.status()), store: store?.status() ?? null }),
    recovery_window: async ({ about }) => ({
      spans: (await window(about === undefined ? undefined : Date.parse(about))).map(
        ({ from, to }) => ({ from: iso(from), to: iso(to) }),
      ),
    }),
    "restore_point.create": ({ name }) => archive.restorePoint(name),
  };
}

function reportBackup(backup: BaseBackup) {
  return {
    label: backup.label,
    repository: backup.repository,
    type: backup.type,
    started_at: iso(backup.startedAt),
    stopped_at: iso(backup.stoppedAt),
    database_bytes: backup.databaseBytes,
    repository_bytes: backup.repositoryBytes,
  };
}

function iso(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
