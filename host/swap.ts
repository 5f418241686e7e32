// Puts one database in the place of another, under its name: clients wait while both are renamed.
// Every crash leaves one of three states, and the command sent again goes on from each.
import type { Backends } from "./backend.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { log, messageOf } from "./log.ts";
import type { PoolerState } from "./pooler-state.ts";
import { HostProblem } from "./problem.ts";

/** What a swap works with. */
export interface SwapOptions {
  readonly lifecycle: Pick<Lifecycle, "exclusively" | "isHeld">;
  readonly backends: Backends;
  readonly poolers: { readonly transaction: PoolerState; readonly session: PoolerState };
}

/** The names: what is `live` goes `aside`, its `twin` takes its place. */
export interface Swap {
  readonly live: string;
  readonly twin: string;
  readonly aside: string;
}

/** Makes the command. @throws HostProblem 404 when there is nothing to put in the place. */
export function createSwap({ lifecycle, backends, poolers }: SwapOptions) {
  const { transaction, session } = poolers;

  async function hold(pooler: PoolerState, database: string): Promise<void> {
    await pooler.pause(database).catch((error) => {
      log("warn", `${database} is swapped while it works: ${messageOf(error)}`);
    });
  }

  async function move(from: string, to: string): Promise<void> {
    await backends.end(from);
    await backends.rename(from, to);
  }

  async function swap({ live, twin, aside }: Swap): Promise<void> {
    const [hasTwin, hasAside] = await Promise.all([backends.exists(twin), backends.exists(aside)]);
    if (!hasTwin && !hasAside) {
      throw new HostProblem(404, "unknown_database", `There is no database ${twin} here.`);
    }
    if (!hasTwin) return;
    if (!hasAside) {
      await backends.allow(twin, await backends.isAllowed(live));
      await move(live, aside);
    }
    await move(twin, live);
  }

  return (names: Swap): Promise<void> =>
    lifecycle.exclusively(names.live, async () => {
      const { live } = names;
      // Who comes from now on waits. Statements still at work after half a second are ended with
      // their backends.
      const paused = Promise.all([hold(transaction, live), hold(session, live)]);
      await session.endClients(live);
      await paused;
      await swap(names);
      if (lifecycle.isHeld(live)) return;
      await Promise.all([transaction.resume(live), session.resume(live)]);
    });
}
