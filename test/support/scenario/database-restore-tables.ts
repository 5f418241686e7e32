import { commit } from "../../../src/core/batch.ts";
import { database } from "../../../src/database/table.ts";
import { restore } from "../../../src/restore/table.ts";
import { beginRestoreTables } from "../../../src/restore/tables.ts";
import { resolveTarget } from "../../../src/restore/target.ts";
import type { Scenario } from "../scenario.ts";
import { aRunningProject } from "../seed.ts";

/** A running database one of whose tables is to be had as it was. */
export const scenario: Scenario = {
  begin: async (test) => {
    const { context } = test;
    const { lane } = await aRunningProject(test);
    const [source] = await context.db.select().from(database);
    if (source === undefined) throw new Error("No stage.");
    const target_time = context.now().toISOString();
    const target = await resolveTarget(context, source, { target_time });
    const tables = [{ schema: "public", name: "orders", as: "orders_restored" }];
    const begun = beginRestoreTables(context, source, target, tables, "test");
    await commit(context, begun.statements);
    return { lane };
  },
  isClean: async ({ context: { db }, host: made }) => {
    const [row] = await db.select().from(restore);
    const isAsBefore = made.things.tables.size === 0 && made.recoveries.size === 0;
    return isAsBefore && row?.state === "failed";
  },
};
