import { commit } from "../../../src/core/batch.ts";
import { beginConfigure } from "../../../src/database/configure.ts";
import { settingsOf } from "../../../src/database/setting.ts";
import { database } from "../../../src/database/table.ts";
import type { Scenario } from "../scenario.ts";
import { aRunningProject } from "../seed.ts";

/** A running database that is to be suspended when idle and reached from one network alone. */
export const scenario: Scenario = {
  begin: async ({ context, ...test }) => {
    const { lane } = await aRunningProject({ context, ...test }, "medium");
    const [row] = await context.db.select().from(database);
    if (row === undefined) throw new Error("No stage.");
    const change = { suspendAfterSeconds: 60, allowedAddresses: ["203.0.113.0/24"] };
    await commit(context, beginConfigure(context, row, change, "test").statements);
    return { lane };
  },
  isClean: async ({ context: { db }, host: made }) => {
    const [row] = await db.select().from(database);
    if (row?.suspendAfterSeconds !== 0) return false;
    const given = made.settings.get(row.databaseName);
    return JSON.stringify(given) === JSON.stringify(settingsOf(row));
  },
};
