// Repositories of databases that were removed: each stays for as long as its moments can be
// recovered, and then goes.
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseMeans } from "../database/means.ts";
import { readIfExists, writeAtomically } from "../file.ts";
import { removeTree } from "../instance/files.ts";
import { log, messageOf } from "../log.ts";

const dayMilliseconds = 86_400_000;

/** When a database was removed, as far as it was seen; notes it when it is seen the first time. */
function removedAt(directory: string, now: number): number {
  const file = join(directory, "removed");
  const noted = Date.parse(readIfExists(file)?.trim() ?? "");
  if (!Number.isNaN(noted)) return noted;
  writeAtomically(file, `${new Date(now).toISOString()}\n`);
  return now;
}

/** What is needed to remove them. */
export interface RemovalMeans extends Pick<DatabaseMeans, "fleet" | "files" | "retention"> {
  /** Removes the second copy of one; it goes first, as nobody would know of it else. */
  readonly beforeGone?: (database: string) => Promise<void>;
}

/** Removes those whose time is over. @returns their names */
export async function removeExpired(
  { fleet, files, retention, beforeGone }: RemovalMeans,
  now = Date.now(),
): Promise<readonly string[]> {
  const parent = join(fleet.directory, "repository");
  if (!existsSync(parent)) mkdirSync(parent, { recursive: true, mode: 0o711 });
  const gone: string[] = [];
  for (const name of readdirSync(parent)) {
    if (files.databases.has(name)) continue;
    const directory = join(parent, name);
    if (now - removedAt(directory, now) < retention.recoveryDays * dayMilliseconds) continue;
    try {
      await beforeGone?.(name);
    } catch (error) {
      log("warn", `The backups of ${name} are removed another time: ${messageOf(error)}`);
      continue;
    }
    await removeTree(directory);
    log("info", `The backups of ${name}, which was removed, are past their time and are gone.`);
    gone.push(name);
  }
  return gone;
}
