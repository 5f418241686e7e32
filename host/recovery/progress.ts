// What a recovery has come to, while it goes on.
import type { RecoveryReport } from "../../src/contract/instance/recovery.ts";

/** What is known of it. */
export type RecoveryFacts = Omit<RecoveryReport, "recovery_id" | "state" | "position" | "error">;

/** Its facts, and how its steps are run. */
export interface Progress {
  readonly facts: () => RecoveryFacts;
  note(facts: Partial<RecoveryFacts>): void;
  /** Runs a step: it is timed, and its name is known meanwhile. @throws Error once it was ended */
  step<Result>(name: string, work: () => Promise<Result>): Promise<Result>;
  /** Aborted when nobody wants it any more. */
  readonly signal: AbortSignal;
}

const fresh: RecoveryFacts = {
  step: "wait",
  step_milliseconds: {},
  bytes_total: 0,
  bytes_restored: 0,
  backup_label: null,
  repository: null,
  start_lsn: null,
  replayed_lsn: null,
  reached_at: null,
  evidence: null,
  passed_over: [],
};

/** Makes that of a recovery which has not begun. What a step takes is counted over all attempts. */
export function createProgress(signal: AbortSignal = new AbortController().signal): Progress {
  let facts = fresh;
  const note = (more: Partial<RecoveryFacts>) => {
    facts = { ...facts, ...more };
  };
  return {
    facts: () => facts,
    note,
    signal,
    async step(name, work) {
      if (signal.aborted) throw new Error("It was ended.");
      note({ step: name });
      const since = performance.now();
      const result = await work();
      const took = (facts.step_milliseconds[name] ?? 0) + Math.round(performance.now() - since);
      note({ step_milliseconds: { ...facts.step_milliseconds, [name]: took } });
      return result;
    },
  };
}
