// What went wrong in a recovery, in words: with which file, and whether anything else may do.
import type { PassedOver } from "../../src/contract/recovery.ts";
import { messageOf } from "../log.ts";

/** The disk is full: no other way would go better. */
class NoRoom extends Error {
  override readonly name = "NoRoom";
}

/** There is nothing to recover from: nothing is wrong with what there is. */
export class NothingToRecover extends Error {
  override readonly name = "NothingToRecover";
}

/** A segment of WAL is damaged or missing. */
export class WalProblem extends Error {
  override readonly name = "WalProblem";
  readonly segment: string;

  constructor(segment: string, words: string) {
    super(words);
    this.segment = segment;
  }
}

/** The target is before the end of the base backup: one from before it does. */
export class TooEarly extends Error {
  override readonly name = "TooEarly";
}

/** What a failed attempt says of what it used. */
export type Verdict =
  /** The base backup does not do; another one may. */
  | "damaged"
  /** It does not go back so far; nothing is wrong with it. */
  | "unfit"
  /** The source does not do: what fails is what all of its base backups need. */
  | "spent"
  /** No other way would go better. */
  | "hopeless";

/** What is known when a step fails. */
export interface FailedStep {
  readonly step: string;
  readonly repository: 1 | 2;
  readonly label: string | null;
  /** What the instance's Postgres has said. */
  readonly log: string;
}

/** What went wrong in one attempt. */
export interface Problem extends Pick<PassedOver, "repository" | "backup_label"> {
  readonly verdict: Verdict;
  /** In words; of a file, when it is one. */
  readonly words: string;
  /** A file is damaged or missing: there is something an operator may do. */
  readonly isDamage: boolean;
}

// pgBackRest's numbers of errors that say nothing about files: a host that cannot be reached, a
// lock, a signal, a disk that takes no writes, a silent process, want of memory, a failing service.
const numbers = /\[0(49|50|63|64|66|94)\]|\[10[15]\]|ServiceError|HostConnectError/;
const network = /timeout|HTTP request failed|unable to connect|TLS error|Connection reset/;
const isCircumstance = (words: string) => numbers.test(words) || network.test(words);

// Of a write that was cut short pgBackRest gives no reason.
const isFull = /no space left on device|disk quota exceeded|\[064\]: (?!.*: \[\d+\] )/i;
// Without a word of its own it was killed: by an operator, or for want of memory.
const isKilled = /failed: it ended with (SIG|1\d\d$)/;
const hasNumber = /\[\d{3}\]/;
// What Postgres says of files that it cannot begin with, or go on.
const isOfFile = /checkpoint record|could not (read|open|find|locate)|invalid|corrupt|checksum/i;

const noRoom =
  "The disk was full before the recovery was done. " +
  "Make room on the host's disk, then restore again.";

/** How many bytes are wanted for files of so many, in words when there are fewer. */
export function checkRoom(free: number, bytes: number): void {
  const needed = bytes + spareBytes;
  if (free >= needed) return;
  const words = `The recovery needs ${needed} bytes of disk, ${Math.max(free, 0)} are free.`;
  throw new NoRoom(`${words} Make room on the host's disk, then restore again.`);
}

/** Beside the files of a base backup: what replay adds. */
const spareBytes = 512 * 1024 ** 2;

/** What is damaged when pgBackRest says a number in a step. */
function subjectOf({ step, label }: FailedStep, words: string): string {
  const lists = "The repository's lists, backup.info and archive.info, cannot be read.";
  const otherKey = "They are damaged, or were encrypted with another key than this host's.";
  if (step === "copy") return `The base backup ${label}, or one it builds on, is damaged.`;
  if (step === "fetch_wal") return `WAL that follows the base backup ${label} is damaged.`;
  return /(Crypto|Format|Checksum)Error/.test(words) ? `${lists} ${otherKey}` : lists;
}

type Found = Pick<Problem, "verdict" | "words" | "isDamage">;

function circumstance(failed: FailedStep, words: string): Found {
  const where =
    failed.repository === 2 ? "The store could not be read" : "pgBackRest could not work";
  const text = `${where} in the step ${failed.step}. Restore again. (${words})`;
  return { verdict: "spent", words: text, isDamage: false };
}

function foundIn(error: unknown, failed: FailedStep): Found {
  const words = messageOf(error);
  const { step } = failed;
  if (error instanceof NoRoom) return { verdict: "hopeless", words, isDamage: false };
  if (error instanceof TooEarly) return { verdict: "unfit", words, isDamage: false };
  if (error instanceof NothingToRecover) return { verdict: "unfit", words, isDamage: false };
  if (isFull.test(words) || (step === "replay" && isFull.test(failed.log))) {
    return { verdict: "hopeless", words: `${noRoom} (${words})`, isDamage: false };
  }
  if (error instanceof WalProblem) return { verdict: "spent", words, isDamage: true };
  if (isKilled.test(words)) {
    const text = `A program was killed in the step ${step}. Restore again. (${words})`;
    return { verdict: "spent", words: text, isDamage: false };
  }
  // What was recovered is what it is, wherever it came from.
  if (step === "settle") return { verdict: "hopeless", words, isDamage: false };
  if (!hasNumber.test(words)) {
    return { verdict: "spent", words, isDamage: step === "replay" && isOfFile.test(words) };
  }
  if (isCircumstance(words)) return circumstance(failed, words);
  const told = `${subjectOf(failed, words)} (${words})`;
  return {
    verdict: step === "copy" ? "damaged" : "spent",
    words: told,
    isDamage: step !== "choose",
  };
}

/** What went wrong in one attempt. */
export function problemOf(error: unknown, failed: FailedStep): Problem {
  const { repository, label: backup_label } = failed;
  return { repository, backup_label, ...foundIn(error, failed) };
}

/** What a recovery could not use, of the attempts that failed. */
export function passedOver(problems: readonly Problem[]): PassedOver[] {
  return problems
    .filter(({ verdict, isDamage }) => isDamage || verdict !== "unfit")
    .map(({ repository, backup_label, words: problem, isDamage: is_damage }) => {
      return { repository, backup_label, problem, is_damage };
    });
}

const another =
  "Restore to another moment, or with `backup_id` from another base backup: the rest of the " +
  "window can be had as before.";

const names = { 1: "first", 2: "second" } as const;

/** The words for a caller: what is wrong with the best way, and which others do not do either. */
export function failureWords(problems: readonly Problem[]): string {
  const faults = problems.filter(({ verdict, isDamage }) => isDamage || verdict === "hopeless");
  const others = problems.filter(({ verdict }) => verdict !== "unfit");
  const told = faults.length > 0 ? faults : [...others, ...problems.slice(-1)].slice(0, 1);
  const lines = ([1, 2] as const).flatMap((repository) => {
    const [first, ...more] = told.filter((one) => one.repository === repository);
    if (first === undefined) return [];
    const labels = new Set(more.flatMap(({ backup_label: label }) => label ?? []));
    labels.delete(first.backup_label ?? "");
    const also = labels.size === 0 ? "" : ` Nor do other base backups: ${[...labels].join(", ")}.`;
    return [{ repository, text: first.words + also }];
  });
  const texts = lines.map(({ repository, text }) =>
    lines.length === 1 ? text : `${names[repository]} repository: ${text}`,
  );
  return [...texts, ...(told.some(({ isDamage }) => isDamage) ? [another] : [])].join(" ");
}
