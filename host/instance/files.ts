// Makes the files of an instance: laid out, copied, given away, written to disk, removed.
import { chmodSync, chownSync, closeSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type CommandLine, run } from "../base/spawn.ts";
import { writeIfChanged } from "../file.ts";
import { type Box, passwdText } from "./box.ts";
import { pointLink } from "./link.ts";
import { inside, socketPort } from "./place.ts";
import { accessFile, type InstanceSize, renderSettings } from "./size.ts";

/**
 * Of each line of an instance's log. Only a login of the platform's or of the spec gets so far that
 * it is named, so that no name has what would be taken for the next field.
 */
// What a host program that was killed left at work would meet the next one's in the same files.
const endsWithParent = ["/usr/bin/setpriv", "--pdeathsig", "KILL", "--"] as const;

const logLinePrefix = "%m [%p] %e (%b) %q%u ";

/** Makes directories that instances and poolers may pass through, and list none of. */
export function makePassable(...paths: readonly string[]): void {
  for (const path of paths) {
    mkdirSync(path, { recursive: true });
    chmodSync(path, 0o711);
  }
}

/**
 * Makes the directories, of which one is the instance's own, and the lock.
 * @throws Error when there is one of this name; it is left as it is
 */
export function layOut({ place, uid }: Box): void {
  makePassable(dirname(place.directory));
  // One that is there is another instance's.
  mkdirSync(place.directory);
  makePassable(place.directory, place.box, place.settings, place.socket);
  // Read by the instance itself, and by whoever looks for its socket.
  for (const path of [place.settings, place.socket]) chmodSync(path, 0o755);
  pointLink(place.door, place.socket);
  closeSync(openSync(place.lock, "a", 0o644));
  chmodSync(place.lock, 0o644);
  const user = uid ?? process.getuid?.() ?? 0;
  if (uid !== null) for (const path of [place.box, place.socket]) chownSync(path, uid, uid);
  writeFileSync(place.passwd, passwdText(user), { mode: 0o644 });
  writeFileSync(join(place.settings, "empty.conf"), "", { mode: 0o644 });
}

/** Makes a directory in an instance's own that is its user's alone. */
export function makeOwn(
  { place, uid }: Pick<Box, "uid"> & { readonly place: { readonly box: string } },
  name: string,
): void {
  const path = join(place.box, name);
  mkdirSync(path, { mode: 0o700 });
  if (uid !== null) chownSync(path, uid, uid);
}

/**
 * Writes the settings its Postgres reads when it starts, and lines that overrule them; true when
 * they were others before.
 */
export function writeSettings(
  { place }: Box,
  size: InstanceSize,
  more: readonly string[] = [],
): boolean {
  const where = {
    socketDirectory: inside.socket,
    socketPort,
    hbaFile: inside.access,
    logLinePrefix,
    archive: null,
  };
  const files = [
    [
      `${place.settings}/postgresql.conf`,
      [renderSettings(size, where), ...more.map((line) => `${line}\n`)].join(""),
    ],
    [`${place.settings}/pg_hba.conf`, accessFile],
  ] as const;
  const changed = files.map(([path, text]) => {
    const isNew = writeIfChanged(path, text);
    chmodSync(path, 0o644);
    return isNew;
  });
  return changed.includes(true);
}

/**
 * Copies a data directory that nothing writes to, for the user of the box; without copying where
 * the file system can share blocks.
 */
export async function copyData(from: string, { place, uid }: Box): Promise<void> {
  const copy: CommandLine = [
    ...endsWithParent,
    "/usr/bin/cp",
    "--recursive",
    "--reflink=auto",
    "--preserve=mode",
    from,
    place.data,
  ];
  await run(copy);
  await giveTo({ uid }, place.data);
}

/** Gives a tree to the user of a box; links in it are given, not followed. */
export async function giveTo({ uid }: Pick<Box, "uid">, path: string): Promise<void> {
  if (uid === null) return;
  await run([...endsWithParent, "/usr/bin/chown", "-R", "-P", `${uid}:${uid}`, path]);
}

/** Has everything of the file system a path is on written to disk. */
export async function syncFileSystem(path: string): Promise<void> {
  await run(["/usr/bin/sync", "--file-system", path]);
}

/** Removes a directory with all that is in it, whoever owns it. */
export async function removeTree(path: string): Promise<void> {
  await run([...endsWithParent, "/usr/bin/rm", "-rf", "--", path]);
}
