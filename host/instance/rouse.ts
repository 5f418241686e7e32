// Has a Postgres run for the host program's own work, such as a backup, and no client be led to it:
// one that sleeps or is stopped is so again afterwards, unless somebody woke it meanwhile.
import type { Lanes } from "../lane.ts";
import type { Roster } from "./roster.ts";

/** What rousing works with. */
export interface RousingOptions {
  readonly roster: Pick<Roster, "get" | "has">;
  readonly inLane: Lanes;
  /** Starts a Postgres; leads nobody to it. */
  readonly begin: (name: string) => Promise<void>;
  /** Ends it as is wanted of it. */
  readonly putBack: (name: string, wanted: "asleep" | "stopped") => Promise<void>;
}

/** Makes it. */
export function createRousing({ roster, inLane, begin, putBack }: RousingOptions) {
  const works = new Map<string, number>();
  const roused = new Set<string>();

  async function rouse(name: string): Promise<void> {
    if (roster.get(name).server !== undefined) return;
    await begin(name);
    roused.add(name);
  }

  async function letGo(name: string): Promise<void> {
    if (works.has(name) || !roused.delete(name) || !roster.has(name)) return;
    const { record, server } = roster.get(name);
    if (server !== undefined && record.wanted !== "running") await putBack(name, record.wanted);
  }

  function count(name: string, more: 1 | -1): void {
    const left = (works.get(name) ?? 0) + more;
    if (left > 0) works.set(name, left);
    else works.delete(name);
  }

  return {
    /** True while something works in it. */
    isAtWork: (name: string) => works.has(name),
    async withRunning<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
      count(name, 1);
      try {
        await inLane(name, () => rouse(name));
        return await work();
      } finally {
        count(name, -1);
        await inLane(name, () => letGo(name));
      }
    },
  };
}
