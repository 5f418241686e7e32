// What is known of the base backups of a database, on disk beside its repository: when the last was
// taken and how far the database had written by then, why the last failed, and what became of those
// that were asked for by an id.
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { readIfExists, writeAtomically } from "../file.ts";
import { log, messageOf } from "../log.ts";

const askedMax = 50;

const Asked = z.strictObject({
  backup_id: z.uuid(),
  state: z.enum(["running", "succeeded", "failed"]),
  started_at: z.iso.datetime(),
  ended_at: z.iso.datetime().nullable(),
  error: z.string().nullable(),
});
export type Asked = z.infer<typeof Asked>;

const Trouble = z.strictObject({ since: z.iso.datetime(), detail: z.string() });

const BackupState = z.strictObject({
  newest: z
    .strictObject({
      label: z.string(),
      /** Milliseconds since the epoch. */
      at: z.number(),
      /** How far WAL was written then. */
      position: z.string(),
    })
    .nullable(),
  /** When the last full one was taken. */
  fullAt: z.number().nullable(),
  /** Why there is none newer. */
  failed: Trouble.extend({ at: z.number() }).nullable(),
  /** What a recovery found damaged; a full one since then takes its place. */
  damaged: Trouble.nullable(),
  asked: z.array(Asked),
});
export type BackupState = z.infer<typeof BackupState>;

const nothing: BackupState = {
  ...{ newest: null, fullAt: null, failed: null, damaged: null, asked: [] },
};

/** States of all databases, read once. */
export interface BackupStates {
  get(database: string): BackupState;
  /** On disk before it returns. */
  change(database: string, change: Partial<BackupState>): void;
  ask(database: string, asked: Asked): void;
  forget(database: string): void;
}

function read(path: string, database: string): BackupState {
  const text = readIfExists(path);
  if (text === undefined) return nothing;
  try {
    return ended(BackupState.parse(JSON.parse(text)));
  } catch (error) {
    log("error", `What is known of ${database}'s backups cannot be read: ${messageOf(error)}`);
    return nothing;
  }
}

/** What ran when an earlier host program ended has failed. */
function ended(state: BackupState): BackupState {
  const error = "The host program ended while it ran.";
  const asked = state.asked.map((one): Asked => {
    if (one.state !== "running") return one;
    return { ...one, state: "failed", ended_at: new Date().toISOString(), error };
  });
  return { ...state, asked };
}

/** Opens them; `directoryOf` names the repository of a database. */
export function openBackupStates(directoryOf: (database: string) => string): BackupStates {
  const all = new Map<string, BackupState>();
  const pathOf = (database: string) => join(directoryOf(database), "backup.json");

  function get(database: string): BackupState {
    const state = all.get(database) ?? read(pathOf(database), database);
    all.set(database, state);
    return state;
  }

  function change(database: string, changes: Partial<BackupState>): void {
    const state = { ...get(database), ...changes };
    all.set(database, state);
    const directory = directoryOf(database);
    if (!existsSync(directory)) mkdirSync(directory, { recursive: true, mode: 0o711 });
    writeAtomically(pathOf(database), JSON.stringify(state));
  }

  return {
    get,
    change,
    ask(database, asked) {
      const others = get(database).asked.filter(({ backup_id: id }) => id !== asked.backup_id);
      change(database, { asked: [...others, asked].slice(-askedMax) });
    },
    forget: (database) => void all.delete(database),
  };
}
