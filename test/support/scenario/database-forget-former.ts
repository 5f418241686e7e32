import { commit } from "../../../src/core/batch.ts";
import { database } from "../../../src/database/table.ts";
import { beginForget } from "../../../src/restore/in-place.ts";
import { restore } from "../../../src/restore/table.ts";
import { runToEnd } from "../run.ts";
import type { Scenario } from "../scenario.ts";
import { beginInPlace } from "./database-restore-in-place.ts";

/** What a restore in place put aside, at the end of its week. */
export const scenario: Scenario = {
  begin: async (test) => {
    const { lane } = await beginInPlace(test);
    await runToEnd(test, lane);
    const [row] = await test.context.db.select().from(database);
    const [restored] = await test.context.db.select().from(restore);
    if (row === undefined || !restored?.asideInstance) throw new Error("No stage.");
    const { id, asideInstance } = restored;
    await commit(test.context, [beginForget(test.context, row, { id, asideInstance }).statement]);
    return { lane };
  },
  isClean: async ({ context: { db }, host: made }) => {
    const [row] = await db.select().from(restore);
    return row?.asideUntil === null && made.databases.size === 1 && made.aside.size === 0;
  },
};
