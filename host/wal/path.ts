// Which segments lead from a base backup on along a timeline and those it comes from, as a
// recovery reads them.
import { segmentBytes } from "../instance/size.ts";
import { isSegment, numberOf, segmentAt, timelineOf } from "./segment.ts";
import { ancestorsOf } from "./timeline.ts";

/** A timeline, and where each it comes from was left. */
export interface Lineage {
  readonly timeline: string;
  readonly ancestors: ReadonlyMap<string, bigint>;
}

/** The lineage of a timeline, by the histories in a directory. */
export function lineageOf(directory: string, timeline: string): Lineage {
  return { timeline, ancestors: ancestorsOf(directory, timeline) };
}

/** True when a timeline is of a lineage up to an address. */
export function isOfLineage(
  { timeline, ancestors }: Lineage,
  candidate: string,
  lsn: bigint,
): boolean {
  const left = ancestors.get(candidate);
  return candidate === timeline || (left !== undefined && lsn <= left);
}

/** Segments in their order, up to the first one that is missing. */
export interface WalPath {
  readonly names: readonly string[];
  /** The one it breaks off before; null when it goes on to the last there is. */
  readonly missing: string | null;
}

/** Part of a lineage, by numbers of segments, both included. */
interface Stretch {
  readonly timeline: string;
  readonly from: number;
  readonly to: number;
}

const segmentOf = (lsn: bigint) => Number(lsn / BigInt(segmentBytes));

function stretchesOf({ timeline, ancestors }: Lineage, last: number): readonly Stretch[] {
  const parts: Stretch[] = [];
  let from = 0;
  for (const [ancestor, left] of ancestors) {
    parts.push({ timeline: ancestor, from, to: segmentOf(left) });
    from = segmentOf(left);
  }
  return [...parts, { timeline, from, to: Math.max(from, last) }];
}

/**
 * The segments from `first` on along a lineage, among those there are. The one in which a timeline
 * was left is there on both: the newer one is read.
 */
export function walPath(lineage: Lineage, first: string, there: Iterable<string>): WalPath {
  const names = new Set([...there].filter(isSegment));
  const own = [...names].filter((name) => timelineOf(name) === lineage.timeline).map(numberOf);
  const stretches = stretchesOf(lineage, Math.max(0, ...own));
  const last = stretches.at(-1)?.to ?? 0;
  const path: string[] = [];
  for (let number = numberOf(first); number <= last; number++) {
    const candidates = stretches
      .filter(({ from, to }) => from <= number && number <= to)
      .map(({ timeline }) => segmentAt(timeline, BigInt(number) * BigInt(segmentBytes)))
      .toReversed();
    const found = candidates.find((name) => names.has(name));
    if (found === undefined) return { names: path, missing: candidates[0] ?? first };
    path.push(found);
  }
  return { names: path, missing: names.has(first) ? null : first };
}
