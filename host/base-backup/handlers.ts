// Commands about base backups and WAL, as the control plane sends them.
import type { BaseBackup as ToldBackup } from "../../src/contract/base-backup.ts";
import { platformSession } from "../instance/session.ts";
import type { CommandHandlers } from "../server/command.ts";
import { backupsOf, windowOf } from "./archive.ts";
import type { BackupMeans, Backups } from "./backups.ts";
import type { BaseBackup } from "./repository.ts";

type Names =
  | Extract<keyof CommandHandlers, `base_backup.${string}`>
  | "base_backups"
  | "backup.problems"
  | "recovery_window"
  | "restore_point.create";

const momentOf = (milliseconds: number) => new Date(milliseconds).toISOString();

function told(backup: BaseBackup): ToldBackup {
  return {
    label: backup.label,
    repository: 1,
    type: backup.type,
    started_at: momentOf(backup.startedAt * 1000),
    stopped_at: momentOf(backup.stoppedAt * 1000),
    database_bytes: backup.databaseBytes,
    repository_bytes: backup.repositoryBytes,
  };
}

interface Point extends Record<string, unknown> {
  readonly lsn: string;
  readonly at: string;
}

/** Marks a point in WAL, and has it where a recovery finds it. */
async function makePoint(
  { fleet, awake, wal }: BackupMeans,
  database: string,
  name: string,
): Promise<Point> {
  return awake.while(database, async ({ place }) => {
    const session = platformSession(fleet, place, database);
    try {
      const [point] = await session.query<Point>(`
        select pg_create_restore_point('${name}')::text as lsn,
          to_char(clock_timestamp() at time zone 'UTC',
                  'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at`);
      // A point is no commit: by itself it is not written at once.
      await session.query("select pg_logical_emit_message(false, 'miosa', '', true)");
      await wal.secureNow(database);
      if (point === undefined) throw new Error("Postgres made no restore point.");
      return { lsn: point.lsn, at: point.at };
    } finally {
      await session.close();
    }
  });
}

/** Carries them out. `more` are problems that others know of. */
export function backupHandlers(
  means: BackupMeans,
  backups: Backups,
  more: () => ReturnType<Backups["problems"]> = () => [],
): Pick<CommandHandlers, Names> {
  return {
    "base_backup.start": async ({ database, backup_id, type }) => {
      backups.start(database, backup_id, type);
      return {};
    },
    "base_backup.status": async ({ database, backup_id }) => {
      const { backup_id: _, ...report } = backups.statusOf(database, backup_id);
      return report;
    },
    base_backups: async ({ database }) => ({
      base_backups: (await backupsOf(means, database)).map(told),
    }),
    "backup.problems": async () => ({ problems: [...backups.problems(), ...more()] }),
    recovery_window: async ({ database }) => ({
      spans: (await windowOf(means, database)).map(({ from, to }) => {
        return { from: momentOf(from), to: momentOf(to) };
      }),
    }),
    "restore_point.create": ({ database, name }) => makePoint(means, database, name),
  };
}
