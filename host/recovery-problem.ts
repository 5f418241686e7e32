// What went wrong in a recovery, in words: of which file, and what to do about it.
import { messageOf } from "./log.ts";

/** What is known when a step fails. */
export interface FailedStep {
  readonly step: string;
  readonly backup_label: string | null;
  /** What the scratch cluster's Postgres has written. */
  readonly log: string;
  /** Paths are told from here on. */
  readonly directory: string;
}

const another =
  "Restore to another moment, or with `backup_id` from another base backup: the rest of the " +
  "window can be had as before.";

// The words of those who met the file; all other errors have the words of this program already.
const isForeign =
  /^(pgbackrest failed|\[\w+\] |Recovery failed: recovery ended before configured recovery target)/;

function subjectOf({ step, backup_label: label, log }: FailedStep): string | undefined {
  const lists = "The repository's lists, backup.info and archive.info, cannot be read.";
  const [last] = [...log.matchAll(/restored log file "([0-9A-F]{24})"/g)].at(-1)?.slice(1) ?? [];
  const subjects: Readonly<Record<string, string>> = {
    choose: lists,
    view: `The manifest of the base backup ${label} is missing or damaged. ${another}`,
    restore: `The base backup ${label}, or one it builds on, is damaged. ${another}`,
    replay:
      last === undefined
        ? `The WAL that follows the base backup ${label} is missing. ${another}`
        : `WAL is missing or damaged at the end of segment ${last} or after it. ${another}`,
  };
  return subjects[step === "fetch_wal" ? "replay" : step];
}

/** The words for a caller. */
export function recoveryProblem(error: unknown, failed: FailedStep): string {
  const words = messageOf(error).replaceAll(`${failed.directory}/`, "");
  if (!isForeign.test(words) && !(error instanceof SyntaxError)) return words;
  const subject = subjectOf(failed);
  return subject === undefined ? words : `${subject} (${words})`;
}
