// Keeps the servers' logs from filling the disk: Postgres cuts its own, PgBouncer has to be told.
import { readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

const filesMax = 20;
const poolerLogBytesMax = 50 * 1024 * 1024;

/** Removes the oldest files of Postgres' log and of slow statements; names sort by time. */
export function pruneLogs(directory: string): void {
  const names = readdirSync(directory);
  for (const kind of [/^postgres-.*\.(log|json)$/, /^slow-.*\.log$/]) {
    const files = names.filter((name) => kind.test(name));
    for (const name of files.sort().slice(0, -filesMax)) rmSync(join(directory, name));
  }
}

/** Sets a pooler's log aside when it is long; true when the pooler has to open a new one. */
export function rotatePoolerLog(file: string): boolean {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size <= poolerLogBytesMax) return false;
  renameSync(file, `${file}.1`);
  return true;
}
