import { eq } from "drizzle-orm";
import type { StoredDump } from "../contract/dump.ts";
import type { Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { type DumpRow, dump } from "./table.ts";

/** Changes a dump's row. */
export function changeDump(context: Context, dumpId: string, change: Partial<DumpRow>): Statement {
  return context.db
    .update(dump)
    .set({ ...change, updatedAt: context.now() })
    .where(eq(dump.id, dumpId));
}

/** Notes that it is whole, and what it is. */
export function keepDump(context: Context, dumpId: string, stored: StoredDump): Statement {
  return changeDump(context, dumpId, {
    state: "succeeded",
    sizeBytes: stored.size_bytes,
    checksum: stored.sha256,
    madeWith: stored.made_with,
    finishedAt: context.now(),
  });
}

/** Notes that there is none, and why. */
export function failDump(context: Context, dumpId: string, errorMessage: string): Statement {
  return changeDump(context, dumpId, {
    state: "failed",
    errorMessage,
    finishedAt: context.now(),
  });
}
