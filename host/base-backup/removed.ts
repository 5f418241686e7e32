// Repositories of databases that were removed: each stays for as long as its moments can be
// recovered, and then goes.
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { readIfExists, writeAtomically } from "../file.ts";
import type { DatabaseMeans } from "../database/means.ts";
import { removeTree } from "../instance/files.ts";
import { log } from "../log.ts";

const dayMilliseconds = 86_400_000;

/** When a database was removed, as far as it was seen; notes it when it is seen the first time. */
function removedAt(directory: string, now: number): number {
  const file = join(directory, "removed");
  const noted = Date.parse(readIfExists(file)?.trim() ?? "");
  if (!Number.isNaN(noted)) return noted;
  writeAtomically(file, `${new Date(now).toISOString()}\n`);
  return now;
}

/** Removes those whose time is over. @returns their names */
export async function removeExpired(
  { fleet, files, retention }: Pick<DatabaseMeans, "fleet" | "files" | "retention">,
  now = Date.now(),
): Promise<readonly string[]> {
  const parent = join(fleet.directory, "repository");
  if (!existsSync(parent)) mkdirSync(parent, { recursive: true, mode: 0o711 });
  const gone: string[] = [];
  for (const name of readdirSync(parent)) {
    if (files.databases.has(name)) continue;
    const directory = join(parent, name);
    if (now - removedAt(directory, now) < retention.recoveryDays * dayMilliseconds) continue;
    await removeTree(directory);
    log("info", `The backups of ${name}, which was removed, are past their time and are gone.`);
    gone.push(name);
  }
  return gone;
}
