// What is archived of a database, also of one that was removed and has no instance any more.
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseMeans } from "../database/means.ts";
import type { Box } from "../instance/box.ts";
import { discard } from "../instance/discard.ts";
import { layOut } from "../instance/files.ts";
import { boxOf } from "../instance/fleet.ts";
import { messageOf } from "../log.ts";
import { HostProblem } from "../problem.ts";
import { lineageOf } from "../wal/path.ts";
import { copiesIn, isSegment } from "../wal/segment.ts";
import { readLived } from "../wal/timeline.ts";
import { walDirectory } from "../wal/wal.ts";
import { knownInstance } from "./known.ts";
import type { BaseBackup } from "./repository.ts";
import { type Life, recoverableSpans, type Span } from "./window.ts";

/**
 * Works with a box in which pgBackRest finds a database's repository.
 * @throws HostProblem 404 for a database that never was here
 */
async function withBox<Result>(
  means: DatabaseMeans,
  database: string,
  work: (box: Box) => Promise<Result>,
): Promise<Result> {
  const { fleet, keeper, files, safe, lane } = means;
  if (files.databases.has(database)) {
    return work(keeper.roster.box(keeper.live(database).record.name));
  }
  const { directory } = safe.repository(database);
  const known = knownInstance(directory);
  if (known === undefined || !existsSync(join(directory, "data"))) {
    throw new HostProblem(404, "unknown_database", `There never was a database ${database}.`);
  }
  const { uid } = statSync(join(directory, "data"));
  const slot = fleet.firstUid === null ? known.slot : uid - fleet.firstUid;
  const name = `${database}.look`;
  const box = boxOf(fleet, name, slot, known.size);
  return lane(name, async () => {
    await discard(fleet, name);
    layOut(box);
    try {
      return await work(box);
    } finally {
      await discard(fleet, name);
    }
  });
}

/** The base backups of a database, the oldest first. @throws HostProblem 404 */
export function backupsOf(means: DatabaseMeans, database: string): Promise<readonly BaseBackup[]> {
  return withBox(means, database, (box) => means.safe.repository(database).list(box));
}

/** Up to when a database can be recovered: about now, unless its WAL does not come. */
async function endOf({ wal, files, safe }: DatabaseMeans, database: string): Promise<number> {
  const directory = walDirectory(safe.repository(database));
  if (files.databases.has(database)) {
    await wal.takeNow(database).catch((error) => {
      if (wal.failureOf(database) === null) throw new Error(messageOf(error));
    });
    return wal.failureOf(database)?.since.getTime() ?? Date.now();
  }
  const times = copiesIn(directory).map((name) => statSync(join(directory, name)).mtimeMs);
  return Math.max(0, ...times);
}

/** The times a database lived on each of its timelines. */
function livesOf(directory: string, end: number): readonly Life[] {
  const lived = readLived(directory);
  return lived.map(({ timeline, from }, at) => {
    const next = lived[at + 1];
    const to = next === undefined ? end : Date.parse(next.from);
    return { lineage: lineageOf(directory, timeline), from: Date.parse(from), to };
  });
}

/** The spans in which every moment of a database can be recovered. @throws HostProblem 404 */
export async function windowOf(means: DatabaseMeans, database: string): Promise<readonly Span[]> {
  const repository = means.safe.repository(database);
  const directory = walDirectory(repository);
  return withBox(means, database, async (box) => {
    const end = await endOf(means, database);
    const [backups, kept] = await Promise.all([repository.list(box), repository.segments(box)]);
    const copies = copiesIn(directory).filter(isSegment);
    const taken = copies.map((name) => [name, statSync(join(directory, name)).mtimeMs] as const);
    const archived = new Map([...taken, ...kept]);
    return recoverableSpans(backups, archived, livesOf(directory, end));
  });
}
