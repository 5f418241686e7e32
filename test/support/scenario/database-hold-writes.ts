import { commit } from "../../../src/core/batch.ts";
import { beginHold } from "../../../src/database/hold.ts";
import { database } from "../../../src/database/table.ts";
import type { TestContext } from "../context.ts";

import type { Scenario } from "../scenario.ts";
import { aRunningProject } from "../seed.ts";

async function begin({ context }: TestContext, to: "full"): Promise<void> {
  const [row] = await context.db.select().from(database);
  if (row === undefined) throw new Error("No stage.");
  await commit(context, beginHold(context, row, to, 1));
}

/** A running database that is full. */
export const scenario: Scenario = {
  begin: async (test) => {
    const { lane } = await aRunningProject(test);
    await begin(test, "full");
    return { lane };
  },
  isClean: async ({ context: { db }, host }) => {
    const [row] = await db.select().from(database);
    const spec = host.spec(row?.databaseName ?? "");
    return row?.storageState === "normal" && spec?.is_full === false;
  },
};
