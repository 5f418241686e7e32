// What went wrong in a recovery, in words: of which file, and what to do about it.
import type { PassedOver } from "../src/contract/recovery.ts";
import type { Repository } from "./backrest-config.ts";
import { messageOf } from "./log.ts";
import { ManifestRefused } from "./manifest-view.ts";
import { isCircumstance, NoBaseBackup, NoRoom } from "./recovery-attempt.ts";
import { storeProblem } from "./store-problem.ts";

/** What is known when a step fails. */
export interface FailedStep {
  readonly step: string;
  readonly repository: Repository | null;
  readonly backup_label: string | null;
  /** What the scratch cluster's Postgres has written. */
  readonly log: string;
  /** Paths are told from here on. */
  readonly directory: string;
}

const another =
  "Restore to another moment, or with `backup_id` from another base backup: the rest of the " +
  "window can be had as before.";

/** What went wrong in one attempt. */
export interface Problem {
  /** The error, or what it comes to when Postgres' log says more. */
  readonly error: unknown;
  readonly problem: string;
  /** A file is damaged or missing: there is something a caller may do. */
  readonly isDamage: boolean;
}

/** The same, and of what. */
export type Told = Problem & Pick<PassedOver, "repository" | "backup_label">;

// The words of those who met the file; all other errors have the words of this program already.
const isForeign =
  /^(pgbackrest failed|\[\w+\] |Recovery failed: recovery ended before configured recovery target)/;

function subjectOf({ step, backup_label: label, log }: FailedStep, words: string) {
  const lists = "The repository's lists, backup.info and archive.info, cannot be read.";
  const otherKey = "They are damaged, or were encrypted with another key than the cluster's.";
  const isForeignWal = /WAL file is from different database system/.test(log);
  const [last] = [...log.matchAll(/restored log file "([0-9A-F]{24})"/g)].at(-1)?.slice(1) ?? [];
  const subjects: Readonly<Record<string, string>> = {
    choose: /(Crypto|Format|Checksum)Error/.test(words) ? `${lists} ${otherKey}` : lists,
    view: `The manifest of the base backup ${label} is missing or damaged.`,
    restore: `The base backup ${label}, or one it builds on, is damaged.`,
    fetch_wal: `WAL that follows the base backup ${label} is missing or damaged.`,
    replay: isForeignWal
      ? `Among the WAL that follows the base backup ${label} is another cluster's.`
      : last === undefined
        ? `The WAL that follows the base backup ${label} is missing.`
        : `WAL is missing or damaged at the end of segment ${last} or after it.`,
  };
  return subjects[step];
}

// Without a word of its own it was killed: by an operator, or for want of memory.
const isKilled = /^pgbackrest failed: it ended with (SIG|1\d\d$)/;
// Of a write that was cut short pgBackRest gives no reason.
const isFull = /no space left on device|disk quota exceeded|\[064\]: (?!.*: \[\d+\] )/i;

const noRoom =
  "The disk that holds the cluster's directory scratch/ was full before the recovery was done. " +
  "Make room on the host's disk, then restore again.";

/** What went wrong in one attempt, in words without the host's own paths. */
export function recoveryProblem(error: unknown, failed: FailedStep): Problem {
  const words = messageOf(error).replaceAll(`${failed.directory}/`, "");
  if (isFull.test(words) || (failed.step === "replay" && isFull.test(failed.log))) {
    const full = new NoRoom(`${noRoom} (${words})`);
    return { error: full, problem: full.message, isDamage: false };
  }
  if (isKilled.test(words)) {
    const problem = `pgBackRest was killed in the step ${failed.step}. Restore again. (${words})`;
    return { error, problem, isDamage: false };
  }
  if (isForeign.test(words) && isCircumstance(words)) {
    const problem =
      failed.repository === 2
        ? `The store could not be read: ${storeProblem(words)}`
        : `pgBackRest could not work in the step ${failed.step}. Restore again. (${words})`;
    return { error, problem, isDamage: false };
  }
  const isForeignError = isForeign.test(words) || error instanceof SyntaxError;
  const subject = isForeignError ? subjectOf(failed, words) : undefined;
  if (subject === undefined) return { error, problem: words, isDamage: false };
  return { error, problem: `${subject} (${words})`, isDamage: failed.step !== "choose" };
}

// There is another way to a manifest, and that no more base backups are there is nobody's fault.
const isFault = ({ error }: Problem) =>
  !(error instanceof ManifestRefused || error instanceof NoBaseBackup);

/** What a recovery could not use, of the attempts that failed. */
export function passedOver(failures: readonly Told[]): PassedOver[] {
  const faults = failures.filter((one) => isFault(one) && !(one.error instanceof NoRoom));
  return faults.map(({ repository, backup_label, problem, isDamage }) => {
    return { repository, backup_label, problem, is_damage: isDamage };
  });
}

/** The words for a caller: what is wrong with the best way, and which others do not do either. */
export function failureWords(failures: readonly Told[]): string {
  const faults = failures.filter(isFault);
  const told = faults.length === 0 ? failures.slice(-1) : faults;
  const words = ([1, 2] as const).flatMap((repository) => {
    const [first, ...others] = told.filter((one) => one.repository === repository);
    if (first === undefined) return [];
    const labels = others.map(({ backup_label: label }) => label).filter((label) => label !== null);
    const more = labels.length === 0 ? "" : ` Nor do other base backups: ${labels.join(", ")}.`;
    return [{ name: repository === 1 ? "first" : "second", text: first.problem + more }];
  });
  const isOne = words.length === 1;
  const lines = words.map(({ name, text }) => (isOne ? text : `${name} repository: ${text}`));
  const isDamage = told.some((one) => one.isDamage);
  return [...lines, ...(isDamage ? [another] : [])].join(" ") || "It was ended.";
}
