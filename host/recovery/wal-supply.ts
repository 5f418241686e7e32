// Gives a recovery the WAL it replays: what is at hand is linked to, the rest is fetched ahead of
// the replay, several segments at once.
import { run } from "../base/spawn.ts";
import type { BaseBackup, Repository } from "../base-backup/repository.ts";
import { type Box, toolLine } from "../instance/box.ts";
import { makeOwn } from "../instance/files.ts";
import { writeInside } from "../instance/inside.ts";
import { messageOf } from "../log.ts";
import { createTurns } from "../turn.ts";
import { isOfLineage, type Lineage, walPath } from "../wal/path.ts";
import { isHistory, numberOf, timelineOf } from "../wal/segment.ts";
import { historiesBetween, lsnOf } from "../wal/timeline.ts";
import { TooEarly, WalProblem } from "./problem.ts";

const fetchesAtOnce = 3;
const segmentsAtOnce = 8;
const linksAtOnce = 4000;

/** The segments of a recovery, in their order. */
export interface WalPlan {
  readonly names: readonly string[];
  /** Those of them that are not at hand. */
  readonly missing: readonly string[];
  /** Histories that are not at hand. */
  readonly histories: readonly string[];
}

/** What a plan is made from. */
export interface WalStock {
  /** Names at hand. */
  readonly atHand: readonly string[];
  /** What the repository has; asked for when what is at hand does not do. */
  readonly kept: () => Promise<Iterable<string>>;
  /** At hand, and known to be damaged. */
  readonly distrusted: ReadonlySet<string>;
  /** Whether the newest segments of the lineage are at hand. */
  readonly isCurrent: boolean;
}

/** The last segment a target can need, by a base backup that was begun after it. */
export function lastNeeded(
  backups: readonly BaseBackup[],
  moment: number | null,
  lineage: Lineage,
): string | undefined {
  if (moment === null) return undefined;
  return backups.find(
    ({ startedAt, firstWal, startLsn }) =>
      startedAt * 1000 > moment && isOfLineage(lineage, timelineOf(firstWal), lsnOf(startLsn)),
  )?.lastWal;
}

/** Whether segments have all of the WAL that was written while a base backup was taken. */
function makesWhole(names: readonly string[], { firstWal, lastWal }: BaseBackup): boolean {
  const [first = "", last = ""] = [names.at(0), names.at(-1)];
  // A timeline that was begun later has a copy of what was written before in its first segment.
  return timelineOf(first) >= timelineOf(firstWal) && last.slice(8) >= lastWal.slice(8);
}

/** @throws WalProblem that names the segment which is nowhere */
export async function planWal(
  backup: BaseBackup,
  lineage: Lineage,
  stock: WalStock,
  last: string | undefined,
): Promise<WalPlan> {
  const { firstWal } = backup;
  const trusted = stock.atHand.filter((name) => !stock.distrusted.has(name));
  const near = walPath(lineage, firstWal, trusted);
  const isWhole = stock.isCurrent && near.missing === null && makesWhole(near.names, backup);
  if (isWhole) return { names: near.names, missing: [], histories: [] };
  const kept = new Set(await stock.kept());
  const far = walPath(lineage, firstWal, [...trusted, ...kept]);
  const limit = last === undefined ? Number.POSITIVE_INFINITY : numberOf(last);
  if (far.missing !== null && numberOf(far.missing) <= limit) {
    const words = `The segment ${far.missing} of WAL is missing: it is neither at hand nor kept.`;
    throw new WalProblem(far.missing, words);
  }
  const names = far.names.filter((name) => numberOf(name) <= limit);
  // It was over when all that is at hand was taken already.
  if (!makesWhole(names, backup)) throw new TooEarly("The base backup is younger than its WAL.");
  const there = new Set(trusted);
  return {
    names,
    missing: names.filter((name) => !there.has(name)),
    histories: [...kept].filter((name) => isHistory(name) && !there.has(name)),
  };
}

/** Links to what is at hand: Postgres reads it where it is, and removes the links. */
export async function linkWal(box: Box, names: readonly string[]): Promise<void> {
  const into = "--target-directory=/instance/data/pg_wal";
  for (let from = 0; from < names.length; from += linksAtOnce) {
    const paths = names.slice(from, from + linksAtOnce).map((name) => `/wal/${name}`);
    await run(toolLine(box, "ln", ["-sf", into, "--", ...paths]));
  }
}

/**
 * Has Postgres begin no timeline before a number when it goes on by itself: histories that it finds
 * stand for those which others have, or may have.
 */
export async function passOverTimelines(
  box: Box,
  timeline: string,
  number: number,
  there: readonly string[],
): Promise<void> {
  for (const name of historiesBetween(timeline, number, there)) {
    await run(toolLine(box, "ln", ["-sf", "/dev/null", `/instance/data/pg_wal/${name}`]));
  }
}

const want = 'cd /instance/fetched/want && for name; do : >"$name" || exit; done';

/** What is fetched meanwhile. */
export interface Supply {
  /** Why it was not all fetched; undefined while it is, or was. */
  problem(): Error | undefined;
  /** Fetches no more; resolves when nobody works in the instance. */
  stop(): Promise<void>;
}

/**
 * Begins to fetch what is not at hand, in the order of the replay; histories are there when this
 * resolves. Postgres waits for each that was promised.
 */
export async function supplyWal(
  box: Box,
  repository: Pick<Repository, "fetch">,
  { missing, histories }: WalPlan,
): Promise<Supply> {
  for (const name of ["fetched", "fetched/want"]) makeOwn(box, name);
  if (missing.length + histories.length === 0) {
    return { problem: () => undefined, stop: async () => undefined };
  }
  const promised = [...histories, ...missing];
  for (let from = 0; from < promised.length; from += linksAtOnce) {
    const names = promised.slice(from, from + linksAtOnce);
    await run(toolLine(box, "sh", ["-c", want, "sh", ...names]));
  }
  if (histories.length > 0) await repository.fetch(box, histories);
  const ending = new AbortController();
  let problem: Error | undefined;
  const inTurn = createTurns(fetchesAtOnce);
  const works: Promise<void>[] = [];
  for (let from = 0; from < missing.length; from += segmentsAtOnce) {
    const names = missing.slice(from, from + segmentsAtOnce);
    const work = inTurn(async () => {
      if (ending.signal.aborted || problem !== undefined) return;
      await repository.fetch(box, names, ending.signal);
    });
    works.push(
      work.catch((error) => {
        if (ending.signal.aborted) return;
        problem ??= new Error(messageOf(error));
        writeInside(box.place.box, ["fetched", "over"], "", box.uid);
      }),
    );
  }
  return {
    problem: () => problem,
    async stop() {
      ending.abort();
      await Promise.all(works);
    },
  };
}

const tidy = "rm -rf /instance/fetched; find /instance/data/pg_wal -maxdepth 1 -type l -delete";

/** Removes what was fetched and linked to, of an instance that goes on from its target. */
export async function removeSupply(box: Box): Promise<void> {
  await run(toolLine(box, "sh", ["-c", tidy]));
}
