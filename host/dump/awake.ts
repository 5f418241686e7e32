// Keeps databases awake that are worked on without a client: who is not seen by the poolers would
// be stopped in the middle as idle. They sleep again as any other does that nobody uses.
import type { Box } from "../instance/box.ts";
import type { Keeper } from "../instance/keeper.ts";
import { HostProblem } from "../problem.ts";

/** Which databases are worked on. */
export interface Awake {
  /**
   * Wakes a database unless it runs, and does work with its instance.
   * @throws HostProblem 404 `unknown_database`, 409 `database_stopped`
   */
  while<Result>(database: string, work: (box: Box) => Promise<Result>): Promise<Result>;
  /**
   * Does work with the instance of a database, also of one that is stopped: it is started and
   * stopped again for that, and no client is led to it.
   */
  whileRoused<Result>(database: string, work: (box: Box) => Promise<Result>): Promise<Result>;
  /** True for one that must not be put to sleep now. */
  isHeld(database: string): boolean;
}

/** The instance that serves a database. @throws HostProblem 404 */
export function liveOf({ nameAt, roster }: Keeper, database: string) {
  const name = nameAt(database);
  if (name !== undefined && roster.has(name)) return roster.get(name).record;
  const message = `There is no database ${database} on this host.`;
  throw new HostProblem(404, "unknown_database", message);
}

const stopped = () =>
  new HostProblem(409, "database_stopped", "The database is stopped: start it first.");

/** Makes the holds of a host's databases. */
export function createAwake(keeper: Keeper): Awake {
  const held = new Map<string, number>();
  const count = (database: string, more: number) => {
    const now = (held.get(database) ?? 0) + more;
    if (now > 0) held.set(database, now);
    else held.delete(database);
  };
  return {
    async while(database, work) {
      liveOf(keeper, database);
      // Before it is started: who is about to put it to sleep does that first, or not at all.
      count(database, 1);
      try {
        const name = await keeper.startServing(database);
        if (name === undefined) throw stopped();
        return await work(keeper.roster.box(name));
      } finally {
        count(database, -1);
      }
    },
    async whileRoused(database, work) {
      const { name } = liveOf(keeper, database);
      count(database, 1);
      try {
        await keeper.rouse(name);
        return await work(keeper.roster.box(name));
      } finally {
        count(database, -1);
        await keeper.settle(name);
      }
    },
    isHeld: (database) => held.has(database),
  };
}
