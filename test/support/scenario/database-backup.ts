import { commit } from "../../../src/core/batch.ts";
import { database } from "../../../src/database/table.ts";
import { dump } from "../../../src/dump/table.ts";
import { beginDump } from "../../../src/dump/take.ts";
import type { Scenario } from "../scenario.ts";
import { aRunningProject } from "../seed.ts";

/** A running database of which a dump is to be taken. */
export const scenario: Scenario = {
  begin: async (test) => {
    const { context } = test;
    const { lane } = await aRunningProject(test);
    const [source] = await context.db.select().from(database);
    if (source === undefined) throw new Error("No stage.");
    const begun = await beginDump(context, source, { name: null, days: 30 }, "test");
    await commit(context, begun.statements);
    return { lane };
  },
  isClean: async ({ context: { db }, host: made }) => {
    const [row] = await db.select().from(dump);
    return row?.state === "failed" && made.things.dumps.size === 0;
  },
};
