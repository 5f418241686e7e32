// Brings an instance to a moment, beside the one that lives: a base backup laid out anew, WAL
// replayed by Postgres itself up to the target. It is the same for a preview, for a restore in
// place and for one to a new database. What is damaged is passed over while anything else does.
import { existsSync, statfsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { endNow, type Running } from "../base/running.ts";
import { run } from "../base/spawn.ts";
import { copyLaidOut, type LaidOuts } from "../base-backup/laid-out.ts";
import type { BaseBackup, Repository } from "../base-backup/repository.ts";
import { readTail } from "../file.ts";
import type { Box } from "../instance/box.ts";
import { discard } from "../instance/discard.ts";
import { layOut, makeOwn, syncFileSystem, writeSettings } from "../instance/files.ts";
import { boxOf, type Fleet } from "../instance/fleet.ts";
import { writeInside } from "../instance/inside.ts";
import type { InstanceRecord } from "../instance/record.ts";
import { makeWalSlot, platformSession } from "../instance/session.ts";
import type { Session } from "../session.ts";
import { copiesIn, isHistory } from "../wal/segment.ts";
import { reserveTimeline, timelineAt } from "../wal/timeline.ts";
import { type Candidate, type Candidates, createCandidates } from "./candidate.ts";
import { checkRoom, failureWords, type Problem, passedOver, problemOf } from "./problem.ts";
import { createProgress, type Progress } from "./progress.ts";
import { evidenceIn, replay } from "./replay.ts";
import { momentOf, type RecoveryTarget } from "./target.ts";
import {
  linkWal,
  passOverTimelines,
  planWal,
  removeSupply,
  type Supply,
  supplyWal,
  type WalPlan,
} from "./wal-supply.ts";

/** One recovery. */
export interface RecoveryOrder {
  /** The instance as it is known, whose past is wanted; it need not run, or be there. */
  readonly of: InstanceRecord;
  /** Name of the new instance. */
  readonly name: string;
  readonly target: RecoveryTarget;
  /** Nothing of it is to outlive the machine's power: it is not waited for the disk. */
  readonly isThrowAway?: boolean;
}

/** What a recovery reads. */
export interface RecoverySource {
  /** 1 is beside the instances, 2 the store. */
  readonly number: 1 | 2;
  readonly repository: Pick<Repository, "list" | "restore" | "segments" | "fetch">;
  /** Copies of segments that were taken lately, finished or not, with histories. */
  readonly wal: string;
  /** Base backups that are laid out already. */
  readonly laidOuts?: LaidOuts;
  /** Keeps all of it until the function it returns is called. */
  readonly hold?: () => () => void;
  /** Fetches it, before anything of it is asked for. */
  readonly prepare?: () => Promise<void>;
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

const lookMilliseconds = 1000;
const saidBytesMax = 256 * 1024;

/** What an attempt works with. */
interface Attempt {
  readonly fleet: Fleet;
  readonly order: RecoveryOrder;
  readonly candidate: Candidate;
  readonly bare: Box;
  readonly box: Box;
  readonly progress: Progress;
  readonly distrusted: ReadonlySet<string>;
}

/** Says now and then how much is there, while it is copied. */
async function meanwhile(attempt: Attempt, work: Promise<void>): Promise<void> {
  const { box, progress } = attempt;
  const done = new AbortController();
  const look = async () => {
    for (;;) {
      const isOver = await delay(lookMilliseconds, false, { signal: done.signal }).catch(
        () => true,
      );
      if (isOver) return;
      const said = await run(["/usr/bin/du", "-s", "-B1", box.place.data]).catch(() => "0");
      const bytes = Math.min(Number.parseInt(said, 10), progress.facts().bytes_total);
      progress.note({ bytes_restored: bytes });
    }
  };
  const looking = look();
  await work.finally(() => done.abort());
  await looking;
}

/** Lays out the files of the base backup. */
async function copyFiles(attempt: Attempt): Promise<void> {
  const { fleet, bare, candidate, progress } = attempt;
  const { backup, laidOut, source } = candidate;
  const { bavail, bsize } = statfsSync(fleet.directory);
  checkRoom(bavail * bsize, backup.databaseBytes);
  const { signal } = progress;
  makeOwn(bare, "data");
  const work =
    laidOut === undefined
      ? source.repository.restore(bare, backup.label, signal)
      : copyLaidOut(laidOut, bare, signal);
  await meanwhile(attempt, work);
  progress.note({ bytes_restored: backup.databaseBytes });
}

function planOf(attempt: Attempt): Promise<WalPlan> {
  const { candidate, bare, distrusted } = attempt;
  const { source, lineage, last } = candidate;
  const atHand = copiesIn(source.wal);
  const isCurrent = source.number === 1 && timelineAt(source.wal, null) === lineage.timeline;
  const kept = async () => (await source.repository.segments(bare)).keys();
  return planWal(candidate.backup, lineage, { atHand, kept, distrusted, isCurrent }, last);
}

/** Makes the WAL there that is at hand, and begins to fetch the rest. */
async function supply({ bare, candidate, distrusted }: Attempt, plan: WalPlan): Promise<Supply> {
  const fetched = new Set(plan.missing);
  const histories = copiesIn(candidate.source.wal).filter(isHistory);
  const linked = plan.names.filter((name) => !fetched.has(name) && !distrusted.has(name));
  await linkWal(bare, [...histories, ...linked]);
  const number = reserveTimeline(candidate.source.wal);
  const { timeline } = candidate.lineage;
  await passOverTimelines(bare, timeline, number, [...histories, ...plan.histories]);
  return supplyWal(bare, candidate.source.repository, plan);
}

async function replayIn(attempt: Attempt, plan: WalPlan, session: Session): Promise<Running> {
  const { order, candidate, box, progress } = attempt;
  const supplied = await progress.step("fetch_wal", () => supply(attempt, plan));
  writeInside(box.place.box, ["data", "recovery.signal"], "", box.uid);
  const { target, of } = order;
  const { lineage, source } = candidate;
  const wanted = { target, size: of.size, names: plan.names, wal: source.wal };
  const { timeline } = lineage;
  try {
    return await progress.step("replay", async () => {
      return replay(box, session, { ...wanted, timeline }, progress).catch((error) => {
        throw supplied.problem() ?? error;
      });
    });
  } finally {
    await supplied.stop();
  }
}

/** Has what was replayed written to disk, and Postgres see to that itself from now on. */
async function settle({ box, bare, order }: Attempt, session: Session): Promise<void> {
  writeSettings(box, order.of.size);
  await session.query("select pg_reload_conf()");
  await session.query(makeWalSlot);
  await session.query("checkpoint");
  await removeSupply(bare);
  if (order.isThrowAway !== true) await syncFileSystem(box.place.directory);
}

async function tryOne(attempt: Attempt): Promise<Recovered> {
  const { fleet, order, candidate, box, progress } = attempt;
  const { of } = order;
  const { backup } = candidate;
  let server: Running | undefined;
  const session = platformSession(fleet, box.place, of.database);
  try {
    const plan = await progress.step("plan", () => planOf(attempt));
    await progress.step("copy", () => copyFiles(attempt));
    server = await replayIn(attempt, plan, session);
    const said = readTail(box.place.log, saidBytesMax) ?? "";
    progress.note({ evidence: evidenceIn(said) });
    await progress.step("settle", () => settle(attempt, session));
    const record: InstanceRecord = { ...of, name: order.name, wanted: "running" };
    return { box, server, record, backup, reachedAt: progress.facts().reached_at };
  } catch (error) {
    if (server !== undefined) await endNow(server);
    throw error;
  } finally {
    await session.close();
  }
}

const noted = ({ backup, source }: Candidate) => ({
  backup_label: backup.label,
  repository: source.number,
  start_lsn: backup.startLsn,
  bytes_total: backup.databaseBytes,
  bytes_restored: 0,
  replayed_lsn: null,
});

/** What all attempts of a recovery share. */
interface Search {
  readonly fleet: Fleet;
  readonly order: RecoveryOrder;
  readonly bare: Box;
  readonly progress: Progress;
  readonly candidates: Candidates;
  readonly problems: Problem[];
  readonly distrusted: Set<string>;
}

/** Tries the next one; undefined when that was in vain, and nothing of it is left. */
async function tryNext(search: Search): Promise<Recovered | undefined> {
  const { fleet, order, bare, progress, candidates, problems, distrusted } = search;
  let candidate: Candidate | undefined;
  layOut(bare);
  try {
    candidate = await progress.step("choose", candidates.next);
    progress.note(noted(candidate));
    const box: Box = { ...bare, reach: { readable: { "/wal": candidate.source.wal } } };
    return await tryOne({ fleet, order, candidate, bare, box, progress, distrusted });
  } catch (error) {
    const log = readTail(bare.place.log, saidBytesMax) ?? "";
    await discard(fleet, order.name);
    if (progress.signal.aborted) throw new Error("It was ended.");
    const { step } = progress.facts();
    const label = candidate?.backup.label ?? null;
    const repository = candidate?.source.number ?? candidates.asked();
    const problem = problemOf(error, { step, label, repository, log });
    problems.push(problem);
    progress.note({ passed_over: passedOver(problems) });
    candidates.failed(candidate, problem.verdict, error, distrusted);
    return undefined;
  }
}

/**
 * Recovers an instance to a target, from the first source that does.
 * @throws Error in words for its caller; nothing of it is left then
 */
export async function recover(
  fleet: Fleet,
  sources: readonly RecoverySource[],
  order: RecoveryOrder,
  progress: Progress = createProgress(),
): Promise<Recovered> {
  const { of, name, target } = order;
  const bare = boxOf(fleet, name, of.slot, of.size);
  // What is there is somebody's, and is not removed for one that fails.
  if (existsSync(bare.place.directory)) throw new Error(`There is an instance ${name} already.`);
  const candidates = createCandidates(sources, bare, target, momentOf(target));
  const [problems, distrusted]: [Problem[], Set<string>] = [[], new Set()];
  const holds = sources.map(({ hold }) => hold?.());
  const search = { fleet, order, bare, progress, candidates, problems, distrusted };
  try {
    while (candidates.isLeft()) {
      const recovered = await tryNext(search);
      if (recovered !== undefined) return recovered;
    }
    throw new Error(failureWords(problems));
  } finally {
    candidates.close();
    for (const letGo of holds) letGo?.();
  }
}
