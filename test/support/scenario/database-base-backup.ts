import { beginBaseBackup } from "../../../src/backup/take.ts";
import { commit } from "../../../src/core/batch.ts";
import { database } from "../../../src/database/table.ts";
import type { Scenario } from "../scenario.ts";
import { aRunningProject } from "../seed.ts";

/** A running database of which a full base backup is to be taken. */
export const scenario: Scenario = {
  begin: async (test) => {
    const { lane } = await aRunningProject(test);
    const [row] = await test.context.db.select().from(database);
    if (row === undefined) throw new Error("No stage.");
    await commit(test.context, [beginBaseBackup(test.context, row, "full", null).statement]);
    return { lane };
  },
  // What its host took stays, as one it takes by itself does: there is no other trace.
  isClean: async ({ context: { db }, host: made }) => {
    const rows = await db.select().from(database);
    return rows.length === 1 && made.databases.size === 1;
  },
};
