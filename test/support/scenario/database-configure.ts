import { commit } from "../../../src/core/batch.ts";
import { beginConfigure } from "../../../src/database/configure.ts";
import { specOf } from "../../../src/database/spec.ts";
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
  isClean: async ({ context, host: made }) => {
    const [row] = await context.db.select().from(database);
    if (row?.suspendAfterSeconds !== 0) return false;
    const given = made.spec(row.databaseName);
    return JSON.stringify(given) === JSON.stringify(await specOf(context, row));
  },
};
