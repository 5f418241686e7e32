import { commit } from "../../../src/core/batch.ts";
import { beginEndPreview } from "../../../src/restore/preview.ts";
import { restore } from "../../../src/restore/table.ts";
import { runToEnd } from "../run.ts";
import type { Scenario } from "../scenario.ts";
import { beginAPreview } from "./database-preview.ts";

/** A preview that stands and is to end. */
export const scenario: Scenario = {
  begin: async (test) => {
    const { lane } = await beginAPreview(test);
    await runToEnd(test, lane);
    const [row] = await test.context.db.select().from(restore);
    if (row === undefined) throw new Error("No stage.");
    await commit(test.context, [beginEndPreview(test.context, row, "test").statement]);
    return { lane };
  },
  isClean: async ({ context: { db }, host: made }) => {
    const [row] = await db.select().from(restore);
    const isOver = row?.endedAt !== null && row?.previewSlot === null;
    return isOver && made.recoveries.size === 0 && made.databases.size === 1;
  },
};
