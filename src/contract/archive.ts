// The WAL a cluster archives.
import { z } from "zod";
import { Nothing } from "./protocol.ts";

/** How archiving of WAL goes; an idle cluster archives nothing and is well. */
const ArchiveReport = z.object({
  last_archived_wal: z.string().nullable(),
  last_archived_at: z.iso.datetime().nullable(),
  /** Since when a finished segment waits; null when none does. */
  unarchived_since: z.iso.datetime().nullable(),
  failed_count: z.int().min(0),
  /** Bytes of WAL ever written. */
  wal_bytes: z.number().min(0),
  /** What was written since the last base backup ended; null when that is not known. */
  written_since_backup_bytes: z.number().min(0).nullable().default(null),
  /** How the second repository follows; null where there is none. */
  store: z
    .object({
      /** The segment up to which it has all. */
      copied_wal: z.string().nullable(),
      /** Since when it lacks something, and why; null while it is known to lack nothing. */
      behind_since: z.iso.datetime().nullable(),
      reason: z.string().nullable(),
    })
    .nullable(),
});
export type ArchiveReport = z.infer<typeof ArchiveReport>;

/** The question about it. */
export const archiveCommands = {
  archive: { input: Nothing, report: ArchiveReport },
} as const;
