// The one place where clients of an instance are led to it. A pooler's line names a link; where it
// leads is exchanged in one step, without a word to the pooler: to the socket of its Postgres, of
// the one that takes its place, or of the host program that wakes it.
import { mkdirSync, readlinkSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";

/**
 * Leads a link to a directory, whatever it led to before. It says where that is from where it is
 * itself: the directory of a fleet has other names in other file systems.
 */
export function pointLink(link: string, directory: string): void {
  const next = `${link}.next`;
  mkdirSync(dirname(link), { recursive: true });
  rmSync(next, { force: true });
  symlinkSync(relative(dirname(link), directory), next);
  renameSync(next, link);
}

/** Where a link leads; undefined when there is none. */
export function linkTarget(link: string): string | undefined {
  try {
    return resolve(dirname(link), readlinkSync(link));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Takes a link away. */
export function removeLink(link: string): void {
  rmSync(link, { force: true });
}
