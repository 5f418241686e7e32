import { commit } from "../../../src/core/batch.ts";
import { databasesOf } from "../../../src/database/find.ts";
import { beginResize } from "../../../src/database/resize.ts";
import { sizeLimits } from "../../../src/database/size.ts";
import { database } from "../../../src/database/table.ts";
import type { Scenario } from "../scenario.ts";
import { aRunningProject } from "../seed.ts";

/** A running database of medium size that is to be large. */
export const scenario: Scenario = {
  begin: async (test) => {
    const { projectId, lane } = await aRunningProject(test, "medium");
    for (const { row } of await databasesOf(test.context, projectId)) {
      await commit(test.context, [
        (await beginResize(test.context, row, "large", "test")).statement,
      ]);
    }
    return { lane };
  },
  isClean: async ({ context: { db }, cluster: made }) => {
    const [row] = await db.select().from(database);
    const pools = row === undefined ? undefined : made.pools.get(row.databaseName);
    return (
      row?.size === "medium" && JSON.stringify(pools) === JSON.stringify(sizeLimits.medium.pools)
    );
  },
};
