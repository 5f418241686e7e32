import { eq } from "drizzle-orm";
import { cluster } from "../../../src/cluster/table.ts";
import { commit } from "../../../src/core/batch.ts";
import { beginDestroy } from "../../../src/database/destroy.ts";
import { databasesOf } from "../../../src/database/find.ts";
import type { Scenario } from "../scenario.ts";
import { aRunningProject, clusterId } from "../seed.ts";

/** A running database with pools of its own. */
export const scenario: Scenario = {
  begin: async (test) => {
    const { projectId, lane } = await aRunningProject(test);
    for (const { row } of await databasesOf(test.context, projectId)) {
      await commit(test.context, beginDestroy(test.context, row, null).statements);
    }
    return { lane };
  },
  isClean: async ({ context: { db }, cluster: made }) => {
    const [place] = await db.select().from(cluster).where(eq(cluster.id, clusterId));
    return made.isEmpty() && place?.databasesCount === 0;
  },
};
