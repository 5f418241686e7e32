// Base backups on demand, one at a time, asked for by an id so that asking twice makes one. What
// became of each is on disk: whoever asks after a restart is told.
import { z } from "zod";
import type { Backrest } from "./backrest.ts";
import { readIfExists, writeAtomically } from "./file.ts";
import { log, messageOf } from "./log.ts";
import { HostProblem } from "./problem.ts";
import type { Store } from "./store.ts";

const BackupState = z.object({
  backup_id: z.string(),
  type: z.enum(["full", "incr"]),
  state: z.enum(["running", "succeeded", "failed"]),
  started_at: z.iso.datetime(),
  ended_at: z.iso.datetime().nullable(),
  /** Why it failed. */
  error: z.string().nullable(),
});
/** What became of a base backup that was asked for. */
export type BackupState = z.infer<typeof BackupState>;

const keptMax = 200;

/** Base backups of one cluster. */
export interface BaseBackups {
  /**
   * Begins one; with an id that is known, nothing.
   * @throws HostProblem 409 while another one runs, or expiry.
   */
  start(backupId: string, type: BackupState["type"]): void;
  /** @throws HostProblem 404 */
  stateOf(backupId: string): BackupState;
  /** Takes away what neither window needs, unless a recovery reads. False when it was held. */
  expire(): Promise<boolean>;
  /** Keeps every backup until the function it returns is called. */
  hold(): () => void;
}

/** What became of backups, on disk; what ran when an earlier program ended has failed. */
function openStates(file: string, now: () => Date) {
  const kept = z.array(BackupState).parse(JSON.parse(readIfExists(file) ?? "[]"));
  const states = new Map(kept.map((state) => [state.backup_id, state]));

  function put(state: BackupState): void {
    states.set(state.backup_id, state);
    const all = [...states.values()].slice(-keptMax);
    writeAtomically(file, JSON.stringify(all));
  }

  function end(state: BackupState, error: string | null): void {
    const ended_at = now().toISOString();
    put({ ...state, state: error === null ? "succeeded" : "failed", ended_at, error });
  }

  for (const state of states.values()) {
    if (state.state === "running") end(state, "The host program ended while it ran.");
  }
  return { states, put, end };
}

async function expireBoth(backrest: Backrest, store: Pick<Store, "expire"> | undefined) {
  await backrest("expire");
  await store?.expire().catch((error) => {
    log("error", `The second repository keeps too much: ${messageOf(error)}`);
  });
}

/** Opens what is kept in `file`. A `store` that cannot expire now does so another time. */
export function openBaseBackups(
  backrest: Backrest,
  store: Pick<Store, "expire"> | undefined,
  file: string,
  now: () => Date,
): BaseBackups {
  const { states, put, end } = openStates(file, now);
  let running: Promise<void> | undefined;
  const holders = new Set<symbol>();

  async function run(state: BackupState): Promise<void> {
    try {
      await backrest("backup", [`--type=${state.type}`]);
      end(state, null);
    } catch (error) {
      log("error", `A base backup failed: ${messageOf(error)}`);
      end(state, messageOf(error));
    }
  }

  function occupy(work: () => Promise<void>): Promise<void> {
    if (running !== undefined) {
      throw new HostProblem(409, "backup_running", "A backup or expiry runs: ask again later.");
    }
    running = work().finally(() => {
      running = undefined;
    });
    return running;
  }

  return {
    start(backupId, type) {
      if (states.has(backupId)) return;
      const started_at = now().toISOString();
      const state = { backup_id: backupId, type, started_at, ended_at: null, error: null };
      const begun: BackupState = { ...state, state: "running" };
      void occupy(() => run(begun));
      put(begun);
    },
    stateOf(backupId) {
      const state = states.get(backupId);
      if (state !== undefined) return state;
      throw new HostProblem(404, "unknown_backup", `No backup ${backupId} was asked for here.`);
    },
    async expire() {
      if (holders.size > 0) return false;
      await occupy(() => expireBoth(backrest, store));
      return true;
    },
    hold() {
      const holder = Symbol("recovery");
      holders.add(holder);
      return () => {
        holders.delete(holder);
      };
    },
  };
}
