// Brings an instance to a moment, beside the one that lives: a base backup laid out anew, WAL
// replayed by Postgres itself up to the target. It is the same for a preview, for a restore in
// place and for one to a new database.
import { chmodSync, existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { endNow, isRunning, type Running } from "../base/running.ts";
import type { BaseBackup, Repository } from "../base-backup/repository.ts";
import { readIfExists, writeAtomically } from "../file.ts";
import type { Box } from "../instance/box.ts";
import { discard } from "../instance/discard.ts";
import { layOut, makeOwn, removeTree, syncFileSystem, writeSettings } from "../instance/files.ts";
import { boxOf, type Fleet } from "../instance/fleet.ts";
import { writeInside } from "../instance/inside.ts";
import type { InstanceRecord } from "../instance/record.ts";
import { startServer } from "../instance/server.ts";
import { makeWalSlot, platformSession } from "../instance/session.ts";
import { lastWords } from "../instance/words.ts";
import type { Session } from "../session.ts";
import { createTurns } from "../turn.ts";
import { isHistory } from "../wal/segment.ts";
import { ancestorsOf, lsnOf, timelineAt } from "../wal/timeline.ts";
import { holdStill } from "./standstill.ts";

/** Waits for all, also when one fails: nothing works on any more in what is then removed. */
async function allOf(works: readonly Promise<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(works);
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

/** Where recovery stops: after the last commit that is not later, or at the end of all WAL. */
export type RecoveryTarget =
  | { readonly time: string }
  | { readonly lsn: string }
  /** A restore point, with where it is in WAL. */
  | { readonly name: string; readonly lsn?: string }
  | { readonly latest: true };

/** One recovery. */
export interface RecoveryOrder {
  /** The instance as it is known, whose past is wanted; it need not run, or be there. */
  readonly of: InstanceRecord;
  /** Name of the new instance. */
  readonly name: string;
  readonly target: RecoveryTarget;
  /** Whether it stays at the target and takes reads only, or goes on from there. */
  readonly then: "pause" | "promote";
}

/** What recovery reads. */
export interface RecoverySource {
  readonly repository: Repository;
  /** Copies of segments that were taken lately, finished or not. */
  readonly wal: string;
}

/** An instance that was recovered, and runs. */
export interface Recovered {
  readonly box: Box;
  readonly server: Running;
  readonly record: InstanceRecord;
  readonly backup: BaseBackup;
  /** When the last commit was made that is there; null when none was replayed. */
  readonly reachedAt: string | null;
}

/** There is nothing to recover from. */
class NothingToRecover extends Error {
  override readonly name = "NothingToRecover";
}

const fetchesAtOnce = 2;
const longestSeconds = 6 * 3600;

function within(seconds: number): () => boolean {
  const deadline = performance.now() + seconds * 1000;
  return () => performance.now() > deadline;
}
const pollMilliseconds = 10;

const momentOf = (target: RecoveryTarget) => ("time" in target ? new Date(target.time) : null);

/** The timeline that is recovered, and where each it comes from was left. */
interface Past {
  readonly timeline: string | undefined;
  readonly ancestors: ReadonlyMap<string, bigint>;
}

function pastOf({ wal }: RecoverySource, target: RecoveryTarget): Past {
  const timeline = timelineAt(wal, momentOf(target));
  return { timeline, ancestors: ancestorsOf(wal, timeline ?? "") };
}

const timelineOf = (segment: string) => segment.slice(0, 8);

/** The newest base backup that was over at the target, and is of that past. */
function chooseBackup(
  backups: readonly BaseBackup[],
  target: RecoveryTarget,
  { timeline, ancestors }: Past,
): BaseBackup {
  const time = (momentOf(target)?.getTime() ?? Number.POSITIVE_INFINITY) / 1000;
  const isOfPast = ({ firstWal, endLsn }: BaseBackup) => {
    const left = ancestors.get(timelineOf(firstWal));
    if (timeline === undefined || timelineOf(firstWal) === timeline) return true;
    return left !== undefined && lsnOf(endLsn) <= left;
  };
  const lsn = "lsn" in target && target.lsn !== undefined ? lsnOf(target.lsn) : undefined;
  const isOver = ({ stoppedAt, firstWal, endLsn }: BaseBackup) =>
    lsn !== undefined && timelineOf(firstWal) === timeline
      ? lsnOf(endLsn) <= lsn
      : stoppedAt <= time;
  const found = backups.findLast((backup) => isOver(backup) && isOfPast(backup));
  if (found !== undefined) return found;
  throw new NothingToRecover("No base backup is older than the target.");
}

function targetSettings(target: RecoveryTarget, then: RecoveryOrder["then"]): string[] {
  if ("latest" in target) return [];
  const [[kind = "", value = ""] = []] = Object.entries(target);
  const quoted = String(value).replaceAll("'", "''");
  return [`recovery_target_${kind} = '${quoted}'`, `recovery_target_action = '${then}'`];
}

// While it replays nothing of it is needed after a crash: all is written to disk at its end.
const replaySettings = ["fsync = off", "full_page_writes = off", "archive_mode = off"];

const settingsFile = ({ place }: Box) => join(place.settings, "postgresql.conf");

function writeRecoverySettings(box: Box, order: RecoveryOrder, past: Past): void {
  const timeline = past.timeline === undefined ? "latest" : Number.parseInt(past.timeline, 16);
  writeSettings(box, order.of.size);
  const file = settingsFile(box);
  const lines = [
    ...replaySettings,
    `restore_command = 'cp "/wal/%f" "%p" || cp "/instance/fetched/%f" "%p"'`,
    `recovery_target_timeline = '${timeline}'`,
    ...targetSettings(order.target, order.then),
  ];
  writeAtomically(file, `${readIfExists(file)}${lines.join("\n")}\n`);
  chmodSync(file, 0o644);
}

/** Fetches the segments since a base backup that are not at hand any more, and histories. */
async function fetchWal(
  box: Box,
  { repository, wal }: RecoverySource,
  { firstWal }: BaseBackup,
  { timeline, ancestors }: Past,
): Promise<void> {
  const inTurn = createTurns(fetchesAtOnce);
  const isOfPast = (name: string) =>
    timeline === undefined || timelineOf(name) === timeline || ancestors.has(timelineOf(name));
  const wanted = (await repository.segments(box))
    .filter((name) => !existsSync(join(wal, name)))
    .filter((name) => isHistory(name) || (isOfPast(name) && name.slice(8) >= firstWal.slice(8)));
  await allOf(
    wanted.map((name) => inTurn(() => repository.fetch(box, name, `/instance/fetched/${name}`))),
  );
}

interface ReplayRow extends Record<string, unknown> {
  readonly is_there: boolean;
  readonly reached_at: string | null;
}

const replayState = (then: RecoveryOrder["then"], target: RecoveryTarget) => `
  select ${
    then === "pause" && !("latest" in target)
      ? "pg_get_wal_replay_pause_state() = 'paused'"
      : "not pg_is_in_recovery()"
  } as is_there,
    to_char(pg_last_xact_replay_timestamp() at time zone 'UTC',
            'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as reached_at`;

/** Waits until replay is at its target. @throws Error with Postgres' words when it ends instead */
async function untilThere(box: Box, server: Running, session: Session, order: RecoveryOrder) {
  const text = replayState(order.then, order.target);
  let reachedAt: string | null = null;
  const isLate = within(longestSeconds);
  for (;;) {
    const [row] = await session.query<ReplayRow>(text).catch(() => []);
    reachedAt = row?.reached_at ?? reachedAt;
    if (row?.is_there === true) return reachedAt;
    if (isLate()) throw new Error("Recovery did not reach its target in six hours.");
    if (!isRunning(server)) throw new Error(`Recovery failed: ${lastWords(box.place.log)}`);
    await delay(pollMilliseconds);
  }
}

/** Has what was replayed written to disk, and Postgres see to that itself from now on. */
async function settle(box: Box, session: Session, order: RecoveryOrder): Promise<void> {
  writeSettings(box, order.of.size);
  await session.query("select pg_reload_conf()");
  await session.query(makeWalSlot);
  await session.query("checkpoint");
  await removeTree(join(box.place.box, "fetched"));
  await syncFileSystem(box.place.directory);
}

/**
 * Recovers an instance to a target.
 * @throws NothingToRecover when no base backup reaches back so far
 * @throws Error in Postgres' or pgBackRest's words; nothing of it is left then
 */
export async function recover(
  fleet: Fleet,
  source: RecoverySource,
  order: RecoveryOrder,
): Promise<Recovered> {
  const { of, name } = order;
  const bare = boxOf(fleet, name, of.slot, of.size);
  const box: Box = { ...bare, reach: { readable: { "/wal": source.wal } } };
  let server: Running | undefined;
  layOut(box);
  try {
    for (const name of ["data", "fetched"]) makeOwn(box, name);
    const past = pastOf(source, order.target);
    const backup = chooseBackup(await source.repository.list(box), order.target, past);
    await source.repository.restore(bare, backup.label);
    // pgBackRest looks at the control file of the cluster it fetches WAL for.
    await fetchWal(bare, source, backup, past);
    writeRecoverySettings(box, order, past);
    writeInside(box.place.box, ["data", "recovery.signal"], "", box.uid);
    server = await startServer(box);
    const session = platformSession(fleet, box.place, of.database);
    const reachedAt = await untilThere(box, server, session, order);
    if (order.then === "promote") await settle(box, session, order);
    else {
      // Without WAL to fetch it is a standby of nobody.
      const asStandby = () => void writeSettings(box, of.size);
      const isPromoted = "latest" in order.target;
      server = await holdStill(box, server, session, { asStandby, isPromoted });
    }
    await session.close();
    // One that stays at its target is not started again: it would recover anew.
    const wanted = order.then === "promote" ? "running" : "stopped";
    const record: InstanceRecord = { ...of, name, wanted };
    return { box, server, record, backup, reachedAt };
  } catch (error) {
    if (server !== undefined) await endNow(server);
    await discard(fleet, name);
    throw error;
  }
}
