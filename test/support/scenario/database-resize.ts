import { commit } from "../../../src/core/batch.ts";
import { beginConfigure } from "../../../src/database/configure.ts";
import { databasesOf } from "../../../src/database/find.ts";
import { changeOfSize } from "../../../src/database/resize.ts";
import { specOf } from "../../../src/database/spec.ts";
import { database } from "../../../src/database/table.ts";
import { host } from "../../../src/host/table.ts";
import type { Scenario } from "../scenario.ts";
import { aRunningProject } from "../seed.ts";

/** A running database of medium size that is to be large. */
export const scenario: Scenario = {
  begin: async (test) => {
    const { projectId, lane } = await aRunningProject(test, "medium");
    for (const { row } of await databasesOf(test.context, projectId)) {
      const change = await changeOfSize(test.context, row, "large");
      await commit(test.context, beginConfigure(test.context, row, change, "test").statements);
    }
    return { lane };
  },
  isClean: async ({ context, host: made }) => {
    const [row] = await context.db.select().from(database);
    const [place] = await context.db.select().from(host);
    if (row?.size !== "medium" || place?.backendsCount !== 16) return false;
    const given = made.spec(row.databaseName);
    return JSON.stringify(given) === JSON.stringify(await specOf(context, row));
  },
};
