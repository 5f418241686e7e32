import { commit } from "../../../src/core/batch.ts";
import { databasesOf } from "../../../src/database/find.ts";
import { beginRotate } from "../../../src/database/rotate.ts";
import { database } from "../../../src/database/table.ts";
import { runLane } from "../../../src/operation/run.ts";
import { registry } from "../../../workers/registry.ts";
import type { Scenario } from "../scenario.ts";
import { aRunningProject } from "../seed.ts";

/** A database whose credentials were rotated: the old login lives for a minute more. */
export const scenario: Scenario = {
  begin: async (test) => {
    const { projectId, lane } = await aRunningProject(test);
    for (const { row } of await databasesOf(test.context, projectId)) {
      await commit(test.context, (await beginRotate(test.context, row, 60, "test")).statements);
    }
    await runLane(test.context, registry, lane);
    return { lane };
  },
  isClean: async ({ context: { db }, host: made }) => {
    const [row] = await db.select().from(database);
    const logins = made.logins(row?.databaseName ?? "");
    return row?.formerLogins.length === 0 && String(logins) === row.loginRole;
  },
};
