// All that is done to keep a cluster recoverable, put together.
import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  type Backrest,
  type BaseBackup,
  createBackrest,
  listBackups,
  listWal,
} from "./backrest.ts";
import { backrestFiles, stanza } from "./backrest-config.ts";
import { type BaseBackups, openBaseBackups } from "./base-backup.ts";
import { type HostConfig, layout } from "./config.ts";
import { log, messageOf } from "./log.ts";
import { joinSpans, recoverableSpans, type Span } from "./recovery-window.ts";
import type { Secrets } from "./secret.ts";
import type { Session } from "./session.ts";
import { openStore, type Store } from "./store.ts";
import { openWalArchive, type WalArchive } from "./wal-archive.ts";

/** The backups of one cluster. */
export interface Backup {
  /** The first repository. */
  readonly backrest: Backrest;
  readonly base: BaseBackups;
  readonly archive: WalArchive;
  /** The second repository, where there is one. */
  readonly store: Store | undefined;
  /** The base backups in both repositories, the oldest first; a lost one has none. */
  list(): Promise<BaseBackup[]>;
  /**
   * Spans in which every moment can be recovered; the last one ends about now, or after the moment
   * that is asked about, in milliseconds since the epoch.
   */
  window(about?: number): Promise<Span[]>;
  /** Makes the first repository anew when it is lost, with a base backup. */
  heal(): Promise<void>;
}

/**
 * Brings the first repository to its shape, while Postgres does not run: archiving, which begins
 * as soon as it does, holds pgBackRest's lock.
 */
export async function prepareRepositories(config: HostConfig, secrets: Secrets): Promise<void> {
  await createBackrest(config, secrets)("stanza-create", ["--no-online"]);
}

// A repository that is lost has nothing, and what the other one has is had all the same.
async function orNone<Item>(what: string, list: () => Promise<Item[]>): Promise<Item[]> {
  try {
    return await list();
  } catch (error) {
    log("error", `The ${what} of the first repository cannot be read: ${messageOf(error)}`);
    return [];
  }
}

function createHeal(config: HostConfig, backrest: Backrest): Backup["heal"] {
  const { repository } = layout(config.directory);
  const isThere = () =>
    ["archive", "backup"].every((kind) =>
      existsSync(join(repository, kind, stanza, `${kind}.info`)),
    );
  return async () => {
    if (!isThere()) {
      log("error", `The repository ${repository} is lost: it is made anew, with a base backup.`);
      await backrest("stanza-create", ["--no-online"]);
    }
    if ((await listBackups(backrest, 1)).length === 0) await backrest("backup", ["--type=full"]);
  };
}

/** Notes after each base backup that what was written is in it. */
function noting(backrest: Backrest, archive: WalArchive): Backrest {
  return async (command, ...rest) => {
    const said = await backrest(command, ...rest);
    if (command === "backup") await archive.backedUp();
    return said;
  };
}

/** Opens what is kept about backups. */
export async function openBackup(
  config: HostConfig,
  secrets: Secrets,
  control: Session,
): Promise<Backup> {
  const files = backrestFiles(config);
  const backrest = createBackrest(config, secrets);
  const archive = await openWalArchive(control, files, config.backup.base_backup_days);
  const store =
    config.backup.s3 === undefined
      ? undefined
      : openStore(
          backrest,
          createBackrest(config, secrets, 2),
          files.transit,
          async () => (await archive.status()).last_archived_wal,
        );
  const base = openBaseBackups(noting(backrest, archive), store, files.backups, () => new Date());
  const local = () => orNone("base backups", () => listBackups(backrest, 1));
  return {
    backrest,
    base,
    archive,
    store,
    async list() {
      const all = [...(await local()), ...(store?.backups() ?? [])];
      return all.sort((one, other) => one.stoppedAt - other.stoppedAt);
    },
    async window(about) {
      await archive.heartbeat(about);
      const wal = orNone("WAL", () => listWal(backrest));
      const [backups, segments] = await Promise.all([local(), wal]);
      const archived = new Set(segments.map((segment) => segment.wal));
      const beats = archive.heartbeats();
      return joinSpans([
        ...recoverableSpans(backups, archived, beats),
        ...recoverableSpans(store?.backups() ?? [], store?.segments() ?? new Set(), beats),
      ]);
    },
    heal: createHeal(config, noting(backrest, archive)),
  };
}

/** Makes the first base backup of a cluster that has none, before it takes databases. */
export async function makeFirstBackup({ backrest, archive }: Backup): Promise<void> {
  if ((await listBackups(backrest, 1)).length > 0) return;
  await noting(backrest, archive)("backup", ["--type=full"]);
}
