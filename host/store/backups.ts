// The base backups of a database's repository. The store names none that it does not have whole:
// files of a backup come first, then its manifest, then the list of all backups; and what expired
// is removed once that list is without it. What is missing here for another reason stays there.

import { join } from "node:path";
import type { BaseBackup, Retention } from "../repository/repository.ts";
import { isSameRepository, isUnfinished } from "./archive.ts";
import { type Copying, forEach, remove, sendBytes, sendFile } from "./copying.ts";
import { repositoryIn } from "./info.ts";
import { dataKey, dataNames, type Names } from "./key.ts";
import { filesBelow, smallFile } from "./tree.ts";

const backup = ["backup", "main"];
const infos = ["backup.info.copy", "backup.info"].map((name): Names => [...backup, name]);
const manifests = ["backup.manifest.copy", "backup.manifest"];
const looksMax = 5;

/** What pgBackRest says there is; undefined when it cannot be asked. */
export type AskBackups = () => Promise<readonly BaseBackup[] | undefined>;

const labelIn = ([, , label = "", ...rest]: Names) => (rest.length === 0 ? undefined : label);
const isManifest = (names: Names) => manifests.includes(names[3] ?? "") && names.length === 4;

/** Files of backups that are whole, in the order in which they are sent. */
function wholeFiles(files: readonly Names[]): readonly (readonly Names[])[] {
  const whole = new Set(
    files.filter((names) => names[3] === "backup.manifest" && names.length === 4).map(labelIn),
  );
  const wanted = files.filter((names) => {
    const label = labelIn(names);
    return label === "backup.history" || (label !== undefined && whole.has(label));
  });
  return [
    wanted.filter((names) => !isManifest(names)),
    ...manifests.map((name) => wanted.filter((names) => isManifest(names) && names[3] === name)),
  ];
}

function readInfos(directory: string): readonly (Buffer | undefined)[] {
  return infos.map((names) => smallFile(directory, ["data", ...names]));
}

const isSame = (one: readonly (Buffer | undefined)[], other: readonly (Buffer | undefined)[]) =>
  one.every((content, at) => {
    const then = other[at];
    return content === undefined || then === undefined ? content === then : content.equals(then);
  });

/** Sends all backups that are listed. @returns the list, as it was when all of them were sent */
async function sendListed(copying: Copying): Promise<readonly (Buffer | undefined)[]> {
  const { directory, ledger } = copying;
  for (let look = 0; look < looksMax; look++) {
    const listed = readInfos(directory);
    const files = filesBelow(join(directory, "data"), ...backup) ?? [];
    for (const step of wholeFiles(files.filter((names) => !isUnfinished(names)))) {
      const missing = step.filter((names) => !ledger.has(dataKey(names)));
      await forEach(missing, (names) => sendFile(copying, names));
    }
    if (isSame(listed, readInfos(directory))) return listed;
  }
  throw new Error("The list of base backups changes again and again while it is sent.");
}

/** True for a segment that one of the backups, or the recovery window, needs. */
function isNeeded(
  segment: string,
  backups: readonly BaseBackup[],
  { recoveryDays }: Retention,
): boolean {
  const at = segment.slice(8);
  const full = backups.filter(({ type }) => type === "full");
  // As pgBackRest is told to: see host/base-backup/repository.ts.
  const oldest = full.at(-(recoveryDays + 1)) ?? full[0];
  if (oldest !== undefined && at >= oldest.firstWal.slice(8)) return true;
  return backups.some(({ firstWal, lastWal }) => firstWal.slice(8) <= at && at <= lastWal.slice(8));
}

/** True for a file that expiry took away, by what is left. */
function isExpired(names: Names, backups: readonly BaseBackup[], retention: Retention): boolean {
  const [kind, , third = "", , file = ""] = names;
  if (kind === "backup" && /^\d{8}-\d{6}F/.test(third)) {
    return labelIn(names) !== undefined && !backups.some(({ label }) => label === third);
  }
  const segment = kind === "archive" ? /^[\dA-F]{24}(?=-)/.exec(file)?.[0] : undefined;
  return segment !== undefined && !isNeeded(segment, backups, retention);
}

/** Removes from the store what expired here. */
async function removeExpired(copying: Copying, ask: AskBackups, retention: Retention) {
  const { directory, ledger } = copying;
  const files = ["archive", "backup"].flatMap(
    (kind) => filesBelow(join(directory, "data"), kind, "main") ?? [],
  );
  const here = new Set(files.map(dataKey));
  const gone = ledger.keys().flatMap((key) => {
    const names = here.has(key) ? undefined : dataNames(key);
    return names === undefined ? [] : [{ key, names }];
  });
  if (gone.length === 0) return;
  const backups = await ask();
  if (backups === undefined || backups.length === 0) return;
  const expired = gone.filter(({ names }) => isExpired(names, backups, retention));
  await remove(
    copying,
    expired.map(({ key }) => key),
  );
}

/** Has the store have the base backups there are, and no others. */
export async function sendBackups(
  copying: Copying,
  ask: AskBackups,
  retention: Retention,
): Promise<void> {
  if (!(await isSameRepository(copying))) return;
  const listed = await sendListed(copying);
  if (listed.every((content) => content === undefined)) return;
  for (const [at, names] of infos.entries()) {
    const content = listed[at];
    if (content === undefined) continue;
    if (repositoryIn(content, copying.pass) === undefined) {
      throw new Error("The list of base backups is damaged.");
    }
    await sendBytes(copying, dataKey(names), content);
  }
  await removeExpired(copying, ask, retention);
}
