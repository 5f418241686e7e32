// Which way a recovery tries after one that failed: what is wrong decides what may still be right.
// A damaged base backup is passed over. WAL that is damaged or missing is what all base backups of
// a repository need, as are its lists: then it is of no more use.
//
// The repositories take turns. After a damage to the newest base backup of the first, the newest of
// the second is the nearest that is left: an older one of the first may build on the same files,
// lies on the same disk, and has hours more to replay. One in a store that is known to be down
// comes last. All lead to the same rows: WAL is replayed to the target from any of them.
import type { Repository } from "./backrest-config.ts";
import type { Backup } from "./backup.ts";
import { ManifestRefused } from "./manifest-view.ts";

/** How, and from which repository. */
export interface Way {
  readonly method: "filtered" | "stock";
  readonly repository: Repository;
}

/** One way, and the base backups of its repository that are known not to do. */
export interface Attempt {
  readonly way: Way;
  /** Labels, in the order they failed. */
  readonly without: readonly string[];
}

/** What a failed attempt says of what it used. */
export type Verdict =
  /** The base backup may do when its manifest is not cut down. */
  | "refused"
  /** The base backup does not do; another one may. */
  | "damaged"
  /** The repository does not do. */
  | "spent"
  /** No other way would go better. */
  | "hopeless";

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

/** An attempt that failed. */
export interface Tried {
  readonly way: Way;
  /** The base backup it began with; null when it did not come so far. */
  readonly label: string | null;
  readonly verdict: Verdict;
}

/** How an attempt ended. */
export interface Failure {
  readonly error: unknown;
  readonly step: string;
  readonly label: string | null;
}

/** The disk is full. */
export class NoRoom extends Error {
  override readonly name = "NoRoom";
}

/** A repository has no base backup that would do: nothing is wrong with those it has. */
export class NoBaseBackup extends Error {
  override readonly name = "NoBaseBackup";
}

// pgBackRest's numbers of errors that say nothing about files: a host that cannot be reached, a
// lock, a signal, a disk that takes no writes, a silent process, want of memory, a failing service.
const numbers = /\[0(49|50|63|64|66|94)\]|\[10[15]\]|ServiceError|HostConnectError/;
const network = /timeout|HTTP request failed|unable to connect|TLS error|Connection reset/;

/** Whether pgBackRest's words are of what may be otherwise the next time. */
export const isCircumstance = (words: string) => numbers.test(words) || network.test(words);

// Its own words have the number of an error; without one it was killed.
function isOfFile(error: unknown): boolean {
  if (error instanceof SyntaxError) return true;
  if (!(error instanceof Error) || !/\[\d{3}\]/.test(error.message)) return false;
  return !isCircumstance(error.message);
}

/** What a failure says. */
export function verdictOf({ error, step, label }: Failure): Verdict {
  if (error instanceof NoRoom) return "hopeless";
  if (error instanceof ManifestRefused) return "refused";
  // What was recovered is what it is, wherever it came from.
  if (step === "settle" || step === "admit") return "hopeless";
  const isOfBackup = label !== null && (step === "view" || step === "restore");
  return isOfBackup && isOfFile(error) ? "damaged" : "spent";
}

/** The attempt after those that failed, in their order; undefined when there is none left. */
export function attemptAfter(
  tried: readonly Tried[],
  { store }: { readonly store: Pick<NonNullable<Backup["store"]>, "status"> | undefined },
): Attempt | undefined {
  const last = tried.at(-1);
  if (last?.verdict === "hopeless") return undefined;
  const damagedIn = (repository: Repository) =>
    tried.flatMap(({ way, label, verdict }) =>
      way.repository === repository && verdict === "damaged" && label !== null ? [label] : [],
    );
  const attempt = (method: Way["method"], repository: Repository): Attempt => ({
    way: { method, repository },
    without: damagedIn(repository),
  });
  if (last?.verdict === "refused") return attempt("stock", last.way.repository);
  const isSpent = (repository: Repository) =>
    tried.some(({ way, verdict }) => way.repository === repository && verdict === "spent");
  const isLeft = store !== undefined && !isSpent(2);
  if (isSpent(1)) return isLeft ? attempt("stock", 2) : undefined;
  const isTurn = isLeft && store.status().reason === null;
  const isSecond = isTurn && damagedIn(2).length < damagedIn(1).length;
  return isSecond ? attempt("stock", 2) : attempt("filtered", 1);
}
