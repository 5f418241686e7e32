// From which moment to which a database can be recovered. Pure: from what is really archived.
import { isOfLineage, type Lineage, walPath } from "../wal/path.ts";
import { timelineOf } from "../wal/segment.ts";
import { lsnOf } from "../wal/timeline.ts";
import type { BaseBackup } from "./repository.ts";

/** From and to a moment, both included; milliseconds since the epoch. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** A time in which a database lived on one timeline. */
export interface Life extends Span {
  readonly lineage: Lineage;
}

/** pgBackRest tells the second in which a base backup was over. */
const roundedMilliseconds = 1000;

/** Spans in their order, those that meet as one. */
function joinSpans(spans: readonly Span[]): readonly Span[] {
  const joined: Span[] = [];
  for (const span of spans.toSorted((one, other) => one.from - other.from)) {
    const last = joined.at(-1);
    if (last === undefined || span.from > last.to) joined.push(span);
    else joined[joined.length - 1] = { from: last.from, to: Math.max(last.to, span.to) };
  }
  return joined;
}

/** Up to when WAL goes on unbroken from a base backup, within a life; null for not at all. */
function reachOf(
  { firstWal, lastWal }: BaseBackup,
  { lineage, to }: Life,
  archived: ReadonlyMap<string, number>,
): number | null {
  const { names, missing } = walPath(lineage, firstWal, archived.keys());
  const last = names.at(-1);
  // Without the WAL of its own time it is of no use.
  if (last === undefined || last.slice(8) < lastWal.slice(8)) return null;
  return missing === null ? to : Math.min(to, archived.get(last) ?? 0);
}

/**
 * The spans in which every moment can be recovered, in order and apart from each other.
 * @param archived segments with the time each was kept at, or taken
 */
export function recoverableSpans(
  backups: readonly BaseBackup[],
  archived: ReadonlyMap<string, number>,
  lives: readonly Life[],
): readonly Span[] {
  const spans = lives.flatMap((life) =>
    backups.flatMap((backup): Span[] => {
      const { firstWal, endLsn, stoppedAt } = backup;
      if (!isOfLineage(life.lineage, timelineOf(firstWal), lsnOf(endLsn))) return [];
      const from = Math.max(life.from, stoppedAt * 1000 + roundedMilliseconds);
      const to = reachOf(backup, life, archived);
      return to === null || to <= from ? [] : [{ from, to }];
    }),
  );
  return joinSpans(spans);
}
