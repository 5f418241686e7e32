// How far the rebuild of a host is, in a file: begun again after an interruption it goes on.
import { join } from "node:path";
import { z } from "zod";
import { readIfExists, writeAtomically } from "../base/file.ts";

const Rebuilt = z.strictObject({
  database: z.string(),
  /** `kept`: it had been removed; its backups are kept for their window. */
  outcome: z.enum(["recovered", "kept", "failed"]),
  /** Of its last commit that is there; null when none was made since its base backup ended. */
  lastCommitAt: z.string().nullable(),
  baseBackupEndedAt: z.string().nullable(),
  /** The end of its WAL. */
  lsn: z.string().nullable(),
  /** Why it failed. */
  detail: z.string().nullable(),
});
/** What became of a database. */
export type Rebuilt = z.infer<typeof Rebuilt>;

const Progress = z.strictObject({
  hostId: z.string(),
  fetched: z.array(z.string()),
  rebuilt: z.array(Rebuilt),
  endedAt: z.iso.datetime().nullable(),
});
type Progress = z.infer<typeof Progress>;

/** How far a rebuild is, in a file. */
export function openProgress(directory: string, hostId: string) {
  const file = join(directory, "rebuild.json");
  const kept = readIfExists(file);
  const none: Progress = { hostId, fetched: [], rebuilt: [], endedAt: null };
  let now = kept === undefined ? none : Progress.parse(JSON.parse(kept));
  const isBegun = kept !== undefined && now.hostId === hostId && now.endedAt === null;

  function set(next: Partial<Progress>): void {
    now = { ...now, ...next };
    writeAtomically(file, JSON.stringify(now, null, 2));
  }

  return {
    isBegun,
    begin: () => set({}),
    of: (database: string) => now.rebuilt.find((one) => one.database === database),
    isFetched: (database: string) => now.fetched.includes(database),
    fetched: (database: string) => set({ fetched: [...now.fetched, database] }),
    note(rebuilt: Rebuilt): void {
      const others = now.rebuilt.filter(({ database }) => database !== rebuilt.database);
      set({ rebuilt: [...others, rebuilt] });
    },
    end: () => set({ endedAt: new Date().toISOString() }),
  };
}
