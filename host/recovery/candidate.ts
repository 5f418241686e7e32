// Which base backup a recovery begins with after one that failed. The sources take turns: after a
// damage to the newest base backup of the first, the newest of the second is the nearest that is
// left; an older one of the first may build on the same files, and has hours more to replay. All
// lead to the same rows: WAL is replayed to the target from any of them.
import type { LaidOut } from "../base-backup/laid-out.ts";
import type { BaseBackup } from "../base-backup/repository.ts";
import type { Box } from "../instance/box.ts";
import type { Lineage } from "../wal/path.ts";
import { NothingToRecover, type Verdict, WalProblem } from "./problem.ts";
import type { RecoverySource } from "./recover.ts";
import { lineageFor, mayBegin, type RecoveryTarget } from "./target.ts";
import { lastNeeded } from "./wal-supply.ts";

/** A base backup to begin with. */
export interface Candidate {
  readonly source: RecoverySource;
  readonly backup: BaseBackup;
  readonly lineage: Lineage;
  /** The last segment that can be needed; undefined when none is known. */
  readonly last: string | undefined;
  /** Its files, where they need not be unpacked. */
  readonly laidOut: LaidOut | undefined;
}

// A label begins with that of the full backup it builds on.
const chainOf = (label: string) => label.slice(0, "20260101-000000F".length);
const triedMax = 2;

/**
 * Whether a base backup may do when others do not. Of those that build on one full backup, two are
 * tried and then that one itself: what they share may be what is damaged, and there may be many.
 */
export function isWorthTrying(label: string, without: readonly string[]): boolean {
  if (without.includes(label)) return false;
  const failed = without.filter((one) => chainOf(one) === chainOf(label)).length;
  return failed < triedMax || (failed === triedMax && label === chainOf(label));
}

/** What is known of one source. */
interface State {
  readonly source: RecoverySource;
  backups: readonly BaseBackup[] | undefined;
  readonly damaged: string[];
  readonly unfit: string[];
  isSpent: boolean;
}

/** The base backups of a recovery, one after the other. */
export interface Candidates {
  /** False when none is left that may do. */
  isLeft(): boolean;
  /** @throws Error when the list of a source cannot be read, NothingToRecover without any */
  next(): Promise<Candidate>;
  /** The source that was asked last. */
  asked(): 1 | 2;
  /** Notes what became of one. Segments that may be had from elsewhere are distrusted. */
  failed(
    candidate: Candidate | undefined,
    verdict: Verdict,
    error: unknown,
    distrusted: Set<string>,
  ): void;
  /** Lets go of what is laid out. */
  close(): void;
}

const told = (target: RecoveryTarget) =>
  "backup" in target
    ? `There is no base backup ${target.backup} any more.`
    : "No base backup is older than the target.";

async function listed(state: State, box: Box): Promise<readonly BaseBackup[]> {
  if (state.backups === undefined) {
    await state.source.prepare?.();
    state.backups = await state.source.repository.list(box);
  }
  return state.backups;
}

async function bestOf(
  state: State,
  box: Box,
  target: RecoveryTarget,
  moment: number | null,
): Promise<Candidate | undefined> {
  const { source, damaged, unfit } = state;
  const backups = await listed(state, box);
  const lineage = lineageFor(source.wal, target, backups);
  const backup = backups.findLast(
    (one) =>
      mayBegin(one, target, lineage) &&
      !unfit.includes(one.label) &&
      isWorthTrying(one.label, damaged),
  );
  if (backup === undefined) return undefined;
  const last = lastNeeded(backups, moment, lineage);
  return { source, backup, lineage, last, laidOut: undefined };
}

/** Begins with what is laid out, where that does. */
function laidOutOf(
  source: RecoverySource | undefined,
  laidOut: LaidOut | undefined,
  target: RecoveryTarget,
): Candidate | undefined {
  if (source === undefined || laidOut === undefined || "backup" in target) return undefined;
  const { backup } = laidOut;
  const lineage = lineageFor(source.wal, target, [backup]);
  if (!mayBegin(backup, target, lineage)) return undefined;
  return { source, backup, lineage, last: undefined, laidOut };
}

/** Those of several sources for one target. */
export function createCandidates(
  sources: readonly RecoverySource[],
  box: Box,
  target: RecoveryTarget,
  moment: number | null,
): Candidates {
  const states = sources.map((source): State => {
    return { source, backups: undefined, damaged: [], unfit: [], isSpent: false };
  });
  const [first] = sources;
  const held = first?.laidOuts?.hold();
  let isLaidOutTried = false;
  let isHopeless = false;
  let asked: State | undefined;

  /** Of those that are left the one in which least was damaged. */
  const turn = () =>
    states
      .filter(({ isSpent }) => !isSpent)
      .toSorted((one, other) => one.damaged.length - other.damaged.length)[0];

  return {
    asked: () => asked?.source.number ?? 1,
    isLeft: () => !isHopeless && turn() !== undefined,
    async next() {
      if (!isLaidOutTried) {
        isLaidOutTried = true;
        const candidate = laidOutOf(first, held?.newest, target);
        if (candidate !== undefined) return candidate;
      }
      asked = turn();
      if (asked === undefined) throw new NothingToRecover(told(target));
      const candidate = await bestOf(asked, box, target, moment);
      if (candidate === undefined) throw new NothingToRecover(told(target));
      return candidate;
    },
    failed(candidate, verdict, error, distrusted) {
      if (verdict === "hopeless") isHopeless = true;
      const state = states.find(({ source }) => source === candidate?.source) ?? asked;
      if (state === undefined || candidate?.laidOut !== undefined) return;
      if (candidate !== undefined && verdict === "damaged")
        state.damaged.push(candidate.backup.label);
      else if (candidate !== undefined && verdict === "unfit")
        state.unfit.push(candidate.backup.label);
      else if (!mayBeHadElsewhere(error, distrusted)) state.isSpent = true;
    },
    close: () => held?.letGo(),
  };
}

/** A copy at hand that is damaged may be whole in the repository. */
function mayBeHadElsewhere(error: unknown, distrusted: Set<string>): boolean {
  if (!(error instanceof WalProblem) || error.segment === "") return false;
  if (distrusted.has(error.segment)) return false;
  distrusted.add(error.segment);
  return true;
}
