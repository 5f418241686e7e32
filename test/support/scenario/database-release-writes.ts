import { commit } from "../../../src/core/batch.ts";
import { beginHold } from "../../../src/database/hold.ts";
import { database } from "../../../src/database/table.ts";
import type { TestContext } from "../context.ts";
import { runToEnd } from "../run.ts";
import type { Scenario } from "../scenario.ts";
import { aRunningProject } from "../seed.ts";

async function begin({ context }: TestContext, to: "full" | "normal"): Promise<void> {
  const [row] = await context.db.select().from(database);
  if (row === undefined) throw new Error("No stage.");
  await commit(context, beginHold(context, row, to, 1));
}

/** A full database in which there is room again. */
export const scenario: Scenario = {
  begin: async (test) => {
    const { lane } = await aRunningProject(test);
    await begin(test, "full");
    await runToEnd(test, lane);
    await begin(test, "normal");
    return { lane };
  },
  isClean: async ({ context: { db }, host }) => {
    const [row] = await db.select().from(database);
    const spec = host.spec(row?.databaseName ?? "");
    return row?.storageState === "full" && spec?.is_full === true;
  },
};
