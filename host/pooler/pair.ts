// Both poolers of some hundred databases: one shares server connections between transactions, one
// gives each session its own. Changes that come together are one RELOAD.
import { setTimeout as delay } from "node:timers/promises";
import { log, messageOf } from "../base/log.ts";
import { createSession } from "../base/session.ts";
import type { Pooler } from "./pooler.ts";
import type { Line } from "./render.ts";
import { createPoolerState, type PoolerState, pauseMilliseconds } from "./state.ts";

const gatherMilliseconds = 5;

/** Who uses a database now. */
export interface LineUse {
  /** Clients that are served or wait, and sessions. An idle one of the transaction port is none. */
  readonly busy: number;
  /** Statements and transactions that were ever answered. */
  readonly answered: number;
  /** How long the first of those clients that wait has waited. */
  readonly waitedSeconds?: number;
}

/** Both poolers, as databases see them. */
export interface Pair {
  /** Serves these lines from now on: resolves when both do. */
  apply(): Promise<void>;
  /** Holds the clients of a line between transactions. Sessions end, as no one else can. */
  hold(line: string): Promise<() => Promise<void>>;
  /** The same for one that nobody uses; undefined, and nobody is held, when somebody does. */
  holdUnused(line: string): Promise<(() => Promise<void>) | undefined>;
  /** Ends the clients of a line, or those of one of its users. */
  endClients(line: string, user?: string): Promise<void>;
  /** Lets go of all lines: what held them may be a host program that is no more. */
  letAllGo(): Promise<void>;
  /** By line; one the poolers have not met is missing. */
  use(): Promise<ReadonlyMap<string, LineUse>>;
}

/** What a pair is made of. */
export interface PairOptions {
  readonly transaction: Pooler;
  readonly session: Pooler;
  readonly linesFor: (mode: "transaction" | "session") => readonly Line[];
}

/** Makes work that is asked for again and again be done once for all who asked meanwhile. */
function gathered(work: () => Promise<void>): () => Promise<void> {
  let next: Promise<void> | undefined;
  let running: Promise<unknown> = Promise.resolve();
  return () => {
    next ??= (async () => {
      await Promise.all([delay(gatherMilliseconds), running]);
      next = undefined;
      const mine = work();
      running = mine.catch(() => undefined);
      await mine;
    })();
    return next;
  };
}

/** Holds the clients of lines in both poolers. */
function createHolds(pooled: PoolerState, direct: PoolerState) {
  const states = [pooled, direct];
  const letGoOf = (line: string) => async () => {
    await Promise.all(states.map((state) => state.resume(line)));
  };

  async function hold(line: string): Promise<() => Promise<void>> {
    const letGo = letGoOf(line);
    const held = states.map((state) =>
      state.pause(line).catch((error) => {
        log("warn", `${line} is exchanged while it works: ${messageOf(error)}`);
      }),
    );
    try {
      await direct.endClients(line);
    } catch (error) {
      await Promise.all(held);
      await letGo().catch(() => undefined);
      throw error;
    }
    await Promise.all(held);
    return letGo;
  }

  /** True when a client is served or waits, or a session is open. */
  async function isUsed(line: string): Promise<boolean> {
    const [shared, own] = await Promise.all([pooled.use(), direct.use()]);
    const { waiting = 0, busy = 0 } = shared.get(line) ?? {};
    return waiting + busy + (own.get(line)?.clients ?? 0) > 0;
  }

  async function holdUnused(line: string): Promise<(() => Promise<void>) | undefined> {
    const letGo = letGoOf(line);
    try {
      // A session that is open keeps it from being paused.
      const paused = await Promise.allSettled(states.map((state) => state.pause(line)));
      const isHeld = paused.every(({ status }) => status === "fulfilled");
      if (isHeld && !(await isUsed(line))) return letGo;
    } catch (error) {
      await letGo().catch(() => undefined);
      throw error;
    }
    await letGo();
    return undefined;
  }

  /** Lets go of what a host program held that was ended meanwhile. */
  async function letAllGo(): Promise<void> {
    for (const state of states) {
      const held = [...(await state.facts())].filter(([, { isPaused }]) => isPaused);
      for (const [line] of held) await state.resume(line);
    }
  }

  return { hold, holdUnused, letAllGo };
}

/** Makes the look at who uses what. */
function createUse(pooled: PoolerState, direct: PoolerState): Pair["use"] {
  return async () => {
    const [shared, own, answered] = await Promise.all([
      pooled.use(),
      direct.use(),
      pooled.counts(),
    ]);
    const names = new Set([...shared.keys(), ...own.keys()]);
    const useOf = (name: string): LineUse => {
      const { waiting = 0, busy = 0, waitedSeconds = 0 } = shared.get(name) ?? {};
      const { clients: sessions = 0, waitedSeconds: waited = 0 } = own.get(name) ?? {};
      return {
        busy: waiting + busy + sessions,
        answered: answered.get(name) ?? 0,
        waitedSeconds: Math.max(waitedSeconds, waited),
      };
    };
    return new Map([...names].map((name) => [name, useOf(name)]));
  };
}

/** Makes a pair of poolers that run. */
export function createPair({ transaction, session, linesFor }: PairOptions): Pair {
  const pausing = (pooler: Pooler) =>
    createSession({ ...pooler.consoleLogin, query_timeout: pauseMilliseconds });
  const pooled = createPoolerState(transaction.console, pausing(transaction));
  const direct = createPoolerState(session.console, pausing(session));
  return {
    apply: gathered(async () => {
      await transaction.apply(linesFor("transaction"));
      await session.apply(linesFor("session"));
    }),
    async endClients(line, user) {
      await Promise.all([pooled, direct].map((state) => state.endClients(line, user)));
    },
    ...createHolds(pooled, direct),
    use: createUse(pooled, direct),
  };
}
