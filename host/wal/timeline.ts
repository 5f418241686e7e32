// Which timeline a database lived on, and since when: a restore in place forks one, and to bring a
// moment back the one has to be known that was lived on then.
import { join } from "node:path";
import { z } from "zod";
import { readIfExists, writeAtomically } from "../file.ts";
import { copiesIn } from "./segment.ts";

const Lived = z.object({
  /** As the names of its segments begin: 8 hexadecimal digits. */
  timeline: z.string(),
  from: z.iso.datetime(),
});
export type Lived = z.infer<typeof Lived>;

const fileIn = (directory: string) => join(directory, "timeline.json");

/** The timelines a database lived on, the oldest first. */
export function readLived(directory: string): readonly Lived[] {
  return z.array(Lived).parse(JSON.parse(readIfExists(fileIn(directory)) ?? "[]"));
}

/** Notes that a database lives on a timeline from now on; on disk before it returns. */
export function noteTimeline(directory: string, timeline: string, now: Date): void {
  const lived = readLived(directory);
  if (lived.at(-1)?.timeline === timeline) return;
  const all = [...lived, { timeline, from: now.toISOString() }];
  writeAtomically(fileIn(directory), JSON.stringify(all));
}

const counterIn = (directory: string) => join(directory, "timeline");
const numberOf = (timeline: string) => Number.parseInt(timeline, 16);

/** The name of a timeline: 8 hexadecimal digits. */
function timelineName(number: number): string {
  return number.toString(16).toUpperCase().padStart(8, "0");
}

/**
 * Takes a number for a new timeline of a database, which no other one has or gets: instances that
 * are recovered at the same time know nothing of each other. On disk before it returns.
 */
export function reserveTimeline(directory: string): number {
  const counted = Number(readIfExists(counterIn(directory)) ?? "0");
  const named = copiesIn(directory).map((name) => numberOf(name.slice(0, 8)));
  const lived = readLived(directory).map(({ timeline }) => numberOf(timeline));
  const next = Math.max(1, counted, ...named, ...lived) + 1;
  writeAtomically(counterIn(directory), String(next));
  return next;
}

/**
 * The histories Postgres has to find after a timeline, though there are none, so that it takes a
 * number and no lower one.
 */
export function historiesBetween(
  timeline: string,
  number: number,
  there: readonly string[],
): readonly string[] {
  const known = new Set(there);
  const names: string[] = [];
  for (let one = numberOf(timeline) + 1; one < number; one++) {
    names.push(`${timelineName(one)}.history`);
  }
  return names.filter((name) => !known.has(name));
}

/** The timeline a database lived on at a moment, or lives on; undefined when none is known. */
export function timelineAt(directory: string, moment: Date | null): string | undefined {
  const lived = readLived(directory);
  if (moment === null) return lived.at(-1)?.timeline;
  const found = lived.findLast(({ from }) => Date.parse(from) <= moment.getTime());
  return (found ?? lived[0])?.timeline;
}

/** An address in WAL as a number. */
export function lsnOf(text: string): bigint {
  const [high = "0", low = "0"] = text.split("/");
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}

/** The timelines one comes from, with the address each was left at. */
export function ancestorsOf(directory: string, timeline: string): ReadonlyMap<string, bigint> {
  const text = readIfExists(join(directory, `${timeline}.history`)) ?? "";
  const rows = text.split("\n").flatMap((line) => {
    const [, parent = "", left = ""] = /^(\d+)\t([\dA-F]+\/[\dA-F]+)/.exec(line) ?? [];
    if (parent === "") return [];
    return [[timelineName(Number(parent)), lsnOf(left)] as const];
  });
  return new Map(rows);
}
