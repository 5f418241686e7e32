import { commit } from "../../../src/core/batch.ts";
import { beginPause } from "../../../src/database/pause.ts";
import { database } from "../../../src/database/table.ts";
import type { TestContext } from "../context.ts";
import { runToEnd } from "../run.ts";
import type { Scenario } from "../scenario.ts";
import { aRunningProject } from "../seed.ts";

async function begin({ context }: TestContext, verb: "stop" | "start"): Promise<void> {
  const [row] = await context.db.select().from(database);
  if (row === undefined) throw new Error("No stage.");
  await commit(context, beginPause(context, verb, row, "test").statements);
}

/** A stopped database that is to be started. */
export const scenario: Scenario = {
  begin: async (test) => {
    const { lane } = await aRunningProject(test);
    await begin(test, "stop");
    await runToEnd(test, lane);
    await begin(test, "start");
    return { lane };
  },
  isClean: async ({ context: { db }, host }) => {
    const [row] = await db.select().from(database);
    return row?.state === "stopped" && host.inState("stopped").length === 1;
  },
};
