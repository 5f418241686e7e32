import { baseBackup } from "../../../src/backup/table.ts";
import { beginBaseBackup } from "../../../src/backup/take.ts";
import { commit } from "../../../src/core/batch.ts";
import type { Scenario } from "../scenario.ts";
import { anInstallation, hostId } from "../seed.ts";

/** A host of which a full base backup is to be taken. */
export const scenario: Scenario = {
  begin: async ({ context }) => {
    await anInstallation(context);
    await commit(context, beginBaseBackup(context, hostId, "full", 0).statements);
    return { lane: `host:${hostId}` };
  },
  isClean: async ({ context: { db } }) => {
    const [row] = await db.select().from(baseBackup);
    return row?.state === "failed";
  },
};
