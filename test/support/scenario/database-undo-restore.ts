import { commit } from "../../../src/core/batch.ts";
import { database } from "../../../src/database/table.ts";
import { beginUndo } from "../../../src/restore/in-place.ts";
import { restore } from "../../../src/restore/table.ts";
import { runToEnd } from "../run.ts";
import type { Scenario } from "../scenario.ts";
import { beginInPlace } from "./database-restore-in-place.ts";

/** A database that was restored in place and is to be switched back. */
export const scenario: Scenario = {
  begin: async (test) => {
    const { lane } = await beginInPlace(test);
    await runToEnd(test, lane);
    const [row] = await test.context.db.select().from(database);
    const [restored] = await test.context.db.select().from(restore);
    if (row === undefined || !restored?.asideInstance) throw new Error("No stage.");
    const { id, asideInstance } = restored;
    const aside = { id, asideInstance };
    await commit(test.context, beginUndo(test.context, row, aside, "test").statements);
    return { lane };
  },
  isClean: async ({ context: { db }, host: made }) => {
    const [row] = await db.select().from(restore);
    const isAside = row?.asideInstance != null && made.aside.has(row.asideInstance);
    return row?.undoneAt !== null && isAside && made.aside.size === 1;
  },
};
