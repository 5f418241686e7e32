// From which moment to which a database can be recovered. Pure: from what is in a repository.
import type { BaseBackup } from "./backrest.ts";

/** A commit whose time is known: everything up to it can be had once its segment is archived. */
export interface Heartbeat {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The segment of WAL that holds the commit. */
  readonly wal: string;
}

/** From and to a moment, both included; milliseconds since the epoch. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

const segmentsPerLog = 0x1_0000_0000 / (16 * 1024 * 1024);

/** Name of the segment after this one, on the same timeline. */
export function nextWal(wal: string): string {
  const timeline = wal.slice(0, 8);
  const number =
    Number.parseInt(wal.slice(8, 16), 16) * segmentsPerLog + Number.parseInt(wal.slice(16), 16) + 1;
  const hex = (value: number) => value.toString(16).toUpperCase().padStart(8, "0");
  return timeline + hex(Math.floor(number / segmentsPerLog)) + hex(number % segmentsPerLog);
}

/** The last segment of the unbroken run that begins with `start`; undefined without that one. */
function lastInRow(archived: ReadonlySet<string>, start: string): string | undefined {
  if (!archived.has(start)) return undefined;
  let last = start;
  while (archived.has(nextWal(last))) last = nextWal(last);
  return last;
}

/** Whether all segments from one to another are there. */
export function isUnbroken(archived: ReadonlySet<string>, start: string, end: string): boolean {
  return (lastInRow(archived, start) ?? "") >= end;
}

// From the end of a backup to the last commit known to be in the WAL that follows it unbroken.
function spanOf(
  backup: BaseBackup,
  archived: ReadonlySet<string>,
  heartbeats: readonly Heartbeat[],
): Span[] {
  const last = lastInRow(archived, backup.startWal);
  if (last === undefined || last < backup.stopWal) return [];
  const known = heartbeats.findLast(({ wal }) => wal <= last)?.at ?? 0;
  // pgBackRest tells the second in which it was over.
  const from = backup.stoppedAt + 1000;
  return known <= from ? [] : [{ from, to: known }];
}

/**
 * The spans in which every moment can be recovered, in order and apart from each other.
 * @param heartbeats in the order of their commits
 */
export function recoverableSpans(
  backups: readonly BaseBackup[],
  archived: ReadonlySet<string>,
  heartbeats: readonly Heartbeat[],
): Span[] {
  return joinSpans(backups.flatMap((backup) => spanOf(backup, archived, heartbeats)));
}

/** The same spans in order, those that meet as one. */
export function joinSpans(spans: readonly Span[]): Span[] {
  const joined: Span[] = [];
  for (const span of spans.toSorted((one, other) => one.from - other.from)) {
    const last = joined.at(-1);
    if (last === undefined || span.from > last.to) joined.push(span);
    else joined[joined.length - 1] = { from: last.from, to: Math.max(last.to, span.to) };
  }
  return joined;
}
