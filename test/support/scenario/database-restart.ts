import { commit } from "../../../src/core/batch.ts";
import { beginPause } from "../../../src/database/pause.ts";
import { database } from "../../../src/database/table.ts";
import type { TestContext } from "../context.ts";

import type { Scenario } from "../scenario.ts";
import { aRunningProject } from "../seed.ts";

async function begin({ context }: TestContext, verb: "restart"): Promise<void> {
  const [row] = await context.db.select().from(database);
  if (row === undefined) throw new Error("No stage.");
  await commit(context, beginPause(context, verb, row, "test").statements);
}

/** A running database that is to be restarted. */
export const scenario: Scenario = {
  begin: async (test) => {
    const { lane } = await aRunningProject(test);
    await begin(test, "restart");
    return { lane };
  },
  isClean: async ({ context: { db }, host }) => {
    const [row] = await db.select().from(database);
    return row?.state === "running" && host.inState("running").length === 1;
  },
};
