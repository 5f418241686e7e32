// The finished segments of a database's repository, and which repository it is. One that was made
// anew in the place of one that was lost has other keys: its few files must not be put over those
// of the former, which could never be read again.

import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { readIfExists } from "../base/file.ts";
import { type Copying, forEach, markOf, sendBytes, sendFile } from "./copying.ts";
import { repositoryIn } from "./info.ts";
import { dataKey, type Names } from "./key.ts";
import { StoreDamage } from "./problem.ts";
import { contentOf } from "./s3.ts";
import { filesBelow, smallFile } from "./tree.ts";

const archive = ["archive", "main"];
const archiveInfo: Names = [...archive, "archive.info"];
const archiveInfoCopy: Names = [...archive, "archive.info.copy"];

/** Sent in one round; then others go first. */
const segmentsPerRound = 32;

/** What pgBackRest has not finished writing. */
export const isUnfinished = (names: Names) => names.at(-1)?.endsWith(".pgbackrest.tmp") ?? true;

const isInfo = (names: Names) => names.length === archiveInfo.length;

/** Of which repository the store has files; read there when the ledger does not say. */
async function storedRepository({ prefix, ledger, s3, pass }: Copying, key: string) {
  const sent = ledger.get(key);
  if (sent === undefined) return undefined;
  const [, noted] = sent.mark.split(":");
  if (noted !== undefined) return noted;
  const object = await s3.get(prefix + key);
  if (object === undefined) return undefined;
  const found = repositoryIn(await buffer(object.stream), pass);
  if (found === undefined) throw new StoreDamage(`${key} in the store is damaged.`);
  ledger.note(key, { ...sent, mark: `:${found}` });
  return found;
}

/**
 * Sees that the repository is the one the store has, and has the store have it.
 * @returns false when there is none yet
 * @throws Error when it is another
 */
export async function isSameRepository(copying: Copying): Promise<boolean> {
  const { prefix, directory, ledger, s3, pass } = copying;
  const info = smallFile(directory, ["data", ...archiveInfo]);
  if (info === undefined) return false;
  const [here, key] = [repositoryIn(info, pass), dataKey(archiveInfo)];
  const stored = await storedRepository(copying, key);
  if (here === undefined || (stored !== undefined && stored !== here)) {
    throw new Error(
      "The repository is damaged or was made anew; the store keeps the former one: " +
        "bring it back from there.",
    );
  }
  const mark = `${markOf(info)}:${here}`;
  if (ledger.get(key)?.mark !== mark) {
    await s3.put(prefix + key, contentOf(info));
    ledger.note(key, { bytes: info.length, mark });
  }
  const copy = smallFile(directory, ["data", ...archiveInfoCopy]);
  if (copy !== undefined) await sendBytes(copying, dataKey(archiveInfoCopy), copy);
  return true;
}

/** The newest segment that is in the repository for good; empty when none is. */
export function keptSegment(directory: string): string {
  return readIfExists(join(directory, "wal", "kept"))?.trim() ?? "";
}

/** Sends segments the store lacks, the oldest first. @returns true when there are more */
export async function sendArchive(copying: Copying): Promise<boolean> {
  const { directory, ledger } = copying;
  if (!(await isSameRepository(copying))) return false;
  const missing = (filesBelow(join(directory, "data"), ...archive) ?? [])
    .filter((names) => !isInfo(names) && !isUnfinished(names) && !ledger.has(dataKey(names)))
    .toSorted((one, other) => (one.join("/") < other.join("/") ? -1 : 1));
  await forEach(missing.slice(0, segmentsPerRound), (names) => sendFile(copying, names));
  return missing.length > segmentsPerRound;
}
