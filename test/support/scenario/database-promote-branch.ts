import { isNotNull, isNull } from "drizzle-orm";
import { beginPromoteBranch } from "../../../src/branch/promote.ts";
import { commit } from "../../../src/core/batch.ts";
import { database } from "../../../src/database/table.ts";
import { restore } from "../../../src/restore/table.ts";
import { runToEnd } from "../run.ts";
import type { Scenario } from "../scenario.ts";
import { scenario as branching } from "./database-branch.ts";

/** A branch whose content its source is to have. */
export const scenario: Scenario = {
  begin: async (test) => {
    const { db } = test.context;
    const { lane } = await branching.begin(test);
    await runToEnd(test, lane);
    const [branch] = await db.select().from(database).where(isNotNull(database.branchOf));
    const [source] = await db.select().from(database).where(isNull(database.branchOf));
    if (branch === undefined || source === undefined) throw new Error("No stage.");
    const begun = beginPromoteBranch(test.context, branch, source, "test");
    await commit(test.context, begun.statements);
    return { lane };
  },
  isClean: async ({ context: { db }, host: made }) => {
    const [row] = await db.select().from(restore);
    const isAlone = [made.recoveries, made.aside, made.dumps].every(({ size }) => size === 0);
    return isAlone && made.databases.size === 2 && row?.state === "failed";
  },
};
