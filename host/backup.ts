// All that is done to keep a cluster recoverable, put together.
import { type Backrest, createBackrest, listBackups, listWal } from "./backrest.ts";
import { backrestFiles } from "./backrest-config.ts";
import { type BaseBackups, openBaseBackups } from "./base-backup.ts";
import type { HostConfig } from "./config.ts";
import { recoverableSpans, type Span } from "./recovery-window.ts";
import type { Secrets } from "./secret.ts";
import type { Session } from "./session.ts";
import { openWalArchive, type WalArchive } from "./wal-archive.ts";

/** The backups of one cluster. */
export interface Backup {
  readonly backrest: Backrest;
  readonly base: BaseBackups;
  readonly archive: WalArchive;
  /** Spans in which every moment can be recovered; the last one ends about now. */
  window(): Promise<Span[]>;
}

const localRepository = 1;

/**
 * Brings the repositories to their shape, while Postgres does not run: archiving, which begins as
 * soon as it does, holds pgBackRest's lock.
 */
export async function prepareRepositories(config: HostConfig, secrets: Secrets): Promise<void> {
  await createBackrest(config, secrets)("stanza-create", ["--no-online"]);
}

/** Opens what is kept about backups. */
export async function openBackup(
  config: HostConfig,
  secrets: Secrets,
  control: Session,
): Promise<Backup> {
  const files = backrestFiles(config);
  const backrest = createBackrest(config, secrets);
  const archive = await openWalArchive(control, files.heartbeats, config.backup.base_backup_days);
  const base = openBaseBackups(backrest, files.backups, () => new Date());
  return {
    backrest,
    base,
    archive,
    async window() {
      await archive.heartbeat();
      const [backups, segments] = await Promise.all([
        listBackups(backrest),
        listWal(backrest, localRepository),
      ]);
      const archived = new Set(segments.map(({ wal }) => wal));
      const local = backups.filter(({ repository }) => repository === localRepository);
      return recoverableSpans(local, archived, archive.heartbeats());
    },
  };
}

/** Makes the first base backup of a cluster that has none, before it takes databases. */
export async function makeFirstBackup({ backrest }: Backup): Promise<void> {
  if ((await listBackups(backrest)).length === 0) await backrest("backup", ["--type=full"]);
}
