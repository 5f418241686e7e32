// Where scratch directories come to be and where they go.
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type HostConfig, layout } from "./config.ts";
import { log, messageOf } from "./log.ts";

/**
 * Makes the room, and begins to empty the trash of an earlier program. ext4 looks through all
 * inodes that were freed in the last minutes before it takes one nearby: a recovery that comes
 * after another would make its files several times slower. The attribute spreads directories.
 */
export function openRoom(config: HostConfig): void {
  const { scratch, trash } = layout(config.directory);
  mkdirSync(scratch, { recursive: true, mode: 0o700 });
  // A machine may have no such program, and another file system no such attribute.
  execFile("/usr/bin/chattr", ["+T", scratch], () => undefined);
  remove(trash);
}

/** Removes a directory: at once for whoever looks for it, its files by and by. */
export function discard(config: HostConfig, directory: string): void {
  if (!existsSync(directory)) return;
  const { trash } = layout(config.directory);
  mkdirSync(trash, { recursive: true, mode: 0o700 });
  const place = join(trash, randomUUID());
  try {
    renameSync(directory, place);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
    // It is on a disk of its own.
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  }
  remove(place);
}

function remove(path: string): void {
  rm(path, { recursive: true, force: true, maxRetries: 5 }).catch((error) => {
    log("error", `${path} cannot be removed: ${messageOf(error)}`);
  });
}
