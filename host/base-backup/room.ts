import { statfsSync } from "node:fs";
import type { DatabaseMeans } from "../database/means.ts";
import { log } from "../log.ts";

/** Of the disk: below that what only saves time is removed. */
const freeShareMin = 0.1;

/** Removes what is laid out of all databases where the disk is filling up. */
export async function dropWhereFull({ fleet, files, safe }: DatabaseMeans): Promise<void> {
  const { bavail, blocks } = statfsSync(fleet.directory);
  if (bavail >= freeShareMin * blocks) return;
  for (const { database } of files.databases.all()) {
    if (!(await safe.laidOuts(database).removeAll())) continue;
    log("warn", `The disk fills up: the copy of ${database} that saves time is removed.`);
  }
}
