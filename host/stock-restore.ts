// The way of recovery without a view: pgBackRest restores one database by itself, with empty files
// in place of the others'. It works from either repository. From an object store everything is
// fetched beforehand, WAL as well: what replays it never has a network.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { BaseBackup } from "./backrest.ts";
import { backrestFiles, stanza } from "./backrest-config.ts";
import type { Reach } from "./binary.ts";
import { layout } from "./config.ts";
import { messageOf } from "./log.ts";
import { stockBytes } from "./manifest-view.ts";
import { type Heartbeat, nextWal } from "./recovery-window.ts";
import {
  pgbackrest,
  type RecoveryTarget,
  restoreFiles,
  type Scratch,
  writeBackrestConfig,
} from "./scratch.ts";

// Of silence, for each of six tries: who waits for a store that is down may have another way left.
const lookSeconds = 3;

/** What pgBackRest may touch: for an object store the network, but no repository. */
function reachOf({ config, files, reach }: Scratch, { repository }: BaseBackup): Reach {
  if (repository === 1) return reach;
  const readable = [layout(config.directory).passwd, backrestFiles(config).authorities];
  return { writable: files.directory, readable, network: true };
}

/** A restore that was looked into: how much it fetches, and what it tells pgBackRest. */
export interface StockPlan {
  readonly bytes: number;
  readonly options: readonly string[];
}

/** Looks what there is to restore; a database that is younger than the backup comes from WAL. */
export async function planStock(
  scratch: Scratch,
  backup: BaseBackup,
  oid: number,
): Promise<StockPlan> {
  writeBackrestConfig(scratch, backup.repository);
  const path = `backup/${stanza}/${backup.label}/backup.manifest`;
  const reach = reachOf(scratch, backup);
  const look = [`--io-timeout=${lookSeconds}`, "repo-get", path];
  const bytes = stockBytes(await pgbackrest(scratch, look, { reach }), oid);
  if (bytes === undefined) return { bytes: backup.databaseBytes, options: [] };
  return { bytes, options: [`--db-include=${oid}`] };
}

/** Restores the files. */
export function restoreStock(
  scratch: Scratch,
  backup: BaseBackup,
  { options }: StockPlan,
  target: RecoveryTarget,
): Promise<void> {
  return restoreFiles(scratch, backup.label, target, options, reachOf(scratch, backup));
}

/**
 * Segments of WAL from the start of a backup to the first commit known to be after a moment, or
 * to the end of what there is.
 */
export function walFor(
  { startWal, stopWal }: BaseBackup,
  segments: ReadonlySet<string>,
  heartbeats: readonly Heartbeat[],
  target: number,
): string[] {
  const later = heartbeats.find(({ at, wal }) => at > target && wal >= stopWal)?.wal;
  const needed: string[] = [];
  for (let wal = startWal; segments.has(wal); wal = nextWal(wal)) {
    if (later !== undefined && wal > later) break;
    needed.push(wal);
  }
  return needed;
}

/** Fetches WAL from an object store; the setting with which Postgres takes it from there. */
export async function fetchWal(
  scratch: Scratch,
  backup: BaseBackup,
  wanted: readonly string[],
): Promise<string> {
  const { files } = scratch;
  const directory = join(files.directory, "wal");
  mkdirSync(directory, { mode: 0o700 });
  const reach = reachOf(scratch, backup);
  for (const wal of wanted) {
    const line = [`--pg1-path=${files.data}`, "archive-get", wal, join(directory, wal)];
    await pgbackrest(scratch, line, { reach }).catch((error) => {
      throw new Error(`${messageOf(error)} (segment ${wal})`);
    });
  }
  return `restore_command = 'mv "${directory}/%f" "%p"'\n`;
}
