// Replays WAL in a base backup that is laid out, up to the target.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { endNow, isRunning, type Running } from "../base/running.ts";
import { readTail } from "../file.ts";
import type { Box } from "../instance/box.ts";
import { writeSettings } from "../instance/files.ts";
import { startServer } from "../instance/server.ts";
import type { InstanceSize } from "../instance/size.ts";
import { lastWords } from "../instance/words.ts";
import { messageOf } from "../log.ts";
import type { Session } from "../session.ts";
import { isWritten, numberOf, segmentAt, timelineOf } from "../wal/segment.ts";
import { lsnOf } from "../wal/timeline.ts";
import { TooEarly, WalProblem } from "./problem.ts";
import type { Progress } from "./progress.ts";
import { type RecoveryTarget, targetSettings } from "./target.ts";

const pollMilliseconds = 10;
const saidBytesMax = 256 * 1024;

// While it replays nothing of it is needed after a crash: all is written to disk at its end.
const replaySettings = ["fsync = off", "full_page_writes = off"];

// What is at hand is linked to in pg_wal already, where Postgres looks next. What is being fetched
// is waited for, unless that is over.
const restoreCommand = [
  "[ -e /instance/fetched/want/%f ] || exit 1;",
  "until [ -e /instance/fetched/%f ]; do",
  "[ ! -e /instance/fetched/over ] || exit 1; sleep 0.02; done;",
  'exec cp "/instance/fetched/%f" "%p"',
].join(" ");

/** What is replayed, and how far. */
export interface Replay {
  readonly size: InstanceSize;
  readonly timeline: string;
  readonly target: RecoveryTarget;
  /** The segments in their order, and where copies of some of them are. */
  readonly names: readonly string[];
  readonly wal: string;
}

interface ReplayRow extends Record<string, unknown> {
  readonly is_there: boolean;
  readonly reached_at: string | null;
  readonly lsn: string | null;
}

const replayState = `
  select not pg_is_in_recovery() as is_there,
    pg_last_wal_replay_lsn()::text as lsn,
    to_char(pg_last_xact_replay_timestamp() at time zone 'UTC',
            'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as reached_at`;

const saidBy = ({ place }: Box) => readTail(place.log, saidBytesMax) ?? "";

/** Postgres' words for a target that none of its WAL reaches. */
const isBeyond = /recovery ended before configured recovery target was reached/;
const isTooEarly = /requested recovery stop point is before consistent recovery point/;
const endForms = [
  /(?:invalid|incorrect|unexpected|record|decompress).*?(?:\bat|LSN|by) ([\dA-F]+\/[\dA-F]+)/,
  /redo done at ([\dA-F]+\/[\dA-F]+)/,
];

/** Where replay ended, as far as Postgres said it. */
export function endOfReplay(log: string): string | undefined {
  const lines = log.split("\n").filter((line) => line.includes(" LOG: "));
  for (const form of endForms) {
    const last = lines.findLast((line) => form.test(line));
    if (last !== undefined) return form.exec(last)?.[1];
  }
  return undefined;
}

/** The line of a log that says where recovery stopped. */
export function evidenceIn(log: string): string | null {
  const said = (form: RegExp) => [...log.matchAll(form)].at(-1)?.[1];
  // At a target it says both, and the other one last.
  return said(/LOG: {2}(recovery stopping .*)$/gm) ?? said(/LOG: {2}(redo done at .*)$/gm) ?? null;
}

/** @throws WalProblem when replay ended before the last segment that was to be replayed */
export function checkEnd(log: string, names: readonly string[], wal: string): void {
  const last = names.findLast((name) => {
    const path = join(wal, name);
    return !existsSync(path) || isWritten(path);
  });
  const end = endOfReplay(log);
  if (last === undefined || end === undefined) return;
  const segment = segmentAt(timelineOf(last), lsnOf(end));
  if (numberOf(segment) >= numberOf(last)) return;
  const met = names.find((name) => numberOf(name) === numberOf(segment)) ?? segment;
  const words = `The segment ${met} of WAL is damaged: replay ended at ${end}, and more follows.`;
  throw new WalProblem(met, words);
}

/** Why a server ended that was to replay; undefined when its target is later than all WAL. */
function failureOf(box: Box, error: unknown, replay: Replay): Error | undefined {
  const said = saidBy(box);
  if (isTooEarly.test(said))
    return new TooEarly("The target is before the end of the base backup.");
  if (/WAL file is from different database system/.test(said)) {
    return new WalProblem("", "Among the WAL that follows the base backup is another cluster's.");
  }
  if (!isBeyond.test(said)) return new Error(`Recovery failed: ${messageOf(error)}`);
  try {
    checkEnd(said, replay.names, replay.wal);
  } catch (problem) {
    return problem as Error;
  }
  return undefined;
}

/** Waits until replay is at its target. @throws Error with Postgres' words when it ends instead */
async function untilThere(
  box: Box,
  server: Running,
  session: Session,
  progress: Progress,
): Promise<void> {
  for (;;) {
    const [row] = await session.query<ReplayRow>(replayState).catch(() => []);
    if (row !== undefined) {
      const { reached_at, replayed_lsn } = progress.facts();
      progress.note({
        reached_at: row.reached_at ?? reached_at,
        replayed_lsn: row.lsn ?? replayed_lsn,
      });
      if (row.is_there) return;
    }
    if (!isRunning(server)) throw new Error(lastWords(box.place.log));
    if (progress.signal.aborted) throw new Error("It was ended.");
    await delay(pollMilliseconds);
  }
}

function writeReplaySettings(box: Box, replay: Replay): void {
  const { size, timeline, target } = replay;
  writeSettings(box, size, [
    ...replaySettings,
    `restore_command = '${restoreCommand.replaceAll("'", "''")}'`,
    `recovery_target_timeline = '${Number.parseInt(timeline, 16)}'`,
    ...targetSettings(target),
  ]);
}

/**
 * Starts Postgres, and waits until it goes on by itself from the target. Nothing was committed
 * after one that is later than all there is: then it goes on from the end of that.
 * @throws WalProblem, TooEarly, or Error in Postgres' words; no process is left then
 */
export async function replay(
  box: Box,
  session: Session,
  wanted: Replay,
  progress: Progress,
): Promise<Running> {
  let server: Running | undefined;
  const isLatest = "latest" in wanted.target;
  try {
    writeReplaySettings(box, wanted);
    server = await startServer(box);
    await untilThere(box, server, session, progress);
    if (isLatest) checkEnd(saidBy(box), wanted.names, wanted.wal);
    return server;
  } catch (error) {
    if (server !== undefined) await endNow(server);
    if (progress.signal.aborted || error instanceof WalProblem) throw error;
    const failure = failureOf(box, error, wanted);
    if (failure !== undefined || isLatest) throw failure ?? error;
    // What was replayed stays: it goes on from there, and at once is done.
    return replay(box, session, { ...wanted, target: { latest: true } }, progress);
  }
}
