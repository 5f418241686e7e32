import { eq } from "drizzle-orm";
import { commit } from "../../../src/core/batch.ts";
import { beginDestroy } from "../../../src/database/destroy.ts";
import { databasesOf } from "../../../src/database/find.ts";
import { host } from "../../../src/host/table.ts";
import type { Scenario } from "../scenario.ts";
import { aRunningProject, hostId } from "../seed.ts";

/** A running database with pools of its own. */
export const scenario: Scenario = {
  begin: async (test) => {
    const { projectId, lane } = await aRunningProject(test);
    for (const { row } of await databasesOf(test.context, projectId)) {
      await commit(test.context, beginDestroy(test.context, row, null).statements);
    }
    return { lane };
  },
  isClean: async ({ context: { db }, host: made }) => {
    const [place] = await db.select().from(host).where(eq(host.id, hostId));
    return made.isEmpty() && place?.databasesCount === 0;
  },
};
