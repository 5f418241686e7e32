// Finds instances that live and let nobody in, without asking each: one that was halted by a signal
// is seen in the list of processes; one that hangs, or was told to stop and does not go, is asked
// only when clients of it wait. Either is healed within ten seconds.

import { log, messageOf } from "../base/log.ts";
import type { Running } from "../base/running.ts";
import type { Answer } from "../base/server-probe.ts";
import type { InstanceCondition } from "./roster.ts";

// Whoever halted it may mean to look at it.
const haltMilliseconds = 2000;
const patienceMilliseconds = 4000;
/** Clients that wait less are waiting for each other. */
const waitSeconds = 2;

/** What it works with. */
export interface HealerOptions {
  /** Asks the Postgres of an instance as a new client would. */
  readonly probe: (name: string) => Promise<Answer>;
  /** Sends on one that was halted. */
  readonly sendOn: (server: Running) => void;
  /** Ends one and starts it again; false when it is no more the process that was seen. */
  readonly startAnew: (name: string, seen: Running) => Promise<boolean>;
  readonly tell: (name: string, what: "halted" | "hung" | "left", detail: string) => void;
  /** Milliseconds that only go forward. */
  readonly clock: () => number;
}

type Kind = "halted" | "silent" | "leaving";

/** Since when one lets nobody in. */
interface Trouble {
  readonly kind: Kind;
  readonly since: number;
}

const words = {
  halted: "was halted by a signal",
  silent: "lived and did not answer",
  leaving: "was told to stop and did not go",
} as const;

/** Makes the look, which remembers what it saw; `waited` says how long clients of one have. */
export function createHealer(options: HealerOptions) {
  const { probe, sendOn, startAnew, tell, clock } = options;
  const troubles = new Map<string, Trouble>();
  const healing = new Set<string>();

  /** What keeps clients of one out now; undefined when nothing does. */
  async function findTrouble(
    { record, condition }: InstanceCondition,
    waited: number,
  ): Promise<Kind | undefined> {
    if (condition === "halted") return "halted";
    if (condition === "gone" || waited < waitSeconds) return undefined;
    const answer = await probe(record.name);
    return answer === "answers" || answer === "starting" ? undefined : answer;
  }

  async function heal(name: string, server: Running, { kind, since }: Trouble): Promise<void> {
    const detail = `It ${words[kind]} for ${Math.round((clock() - since) / 1000)} s`;
    if (kind === "halted") {
      sendOn(server);
      tell(name, "halted", `${detail}, and was sent on.`);
    } else if (await startAnew(name, server)) {
      tell(name, kind === "silent" ? "hung" : "left", `${detail}, and was started anew.`);
    }
  }

  async function lookAt(one: InstanceCondition, waited: number): Promise<void> {
    const { name } = one.record;
    const kind = await findTrouble(one, waited);
    const before = troubles.get(name);
    if (kind === undefined || one.server === undefined) return void troubles.delete(name);
    const trouble = before?.kind === kind ? before : { kind, since: clock() };
    troubles.set(name, trouble);
    const patience = kind === "halted" ? haltMilliseconds : patienceMilliseconds;
    if (clock() - trouble.since < patience) return;
    troubles.delete(name);
    // It may have to recover first: nobody else waits for that.
    healing.add(name);
    void heal(name, one.server, trouble)
      .catch((error) => log("error", `${name} is not healed: ${messageOf(error)}`))
      .finally(() => healing.delete(name));
  }

  return {
    async look(
      conditions: readonly InstanceCondition[],
      waited: (name: string) => number,
    ): Promise<void> {
      const suspects = conditions.filter(({ record: { name }, condition }) => {
        const isSuspect = condition === "halted" || waited(name) >= waitSeconds;
        return !healing.has(name) && (isSuspect || troubles.has(name));
      });
      await Promise.all(suspects.map((one) => lookAt(one, waited(one.record.name))));
    },
    /** Forgets what it saw: of a machine that gives nobody time, nobody is judged. */
    forget: () => troubles.clear(),
  };
}
