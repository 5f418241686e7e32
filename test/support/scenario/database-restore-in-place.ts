import { commit } from "../../../src/core/batch.ts";
import { database } from "../../../src/database/table.ts";
import { beginRestoreInPlace } from "../../../src/restore/in-place.ts";
import { restore } from "../../../src/restore/table.ts";
import { resolveTarget } from "../../../src/restore/target.ts";
import type { TestContext } from "../context.ts";
import type { Scenario } from "../scenario.ts";
import { aRunningProject } from "../seed.ts";

/** Begins to bring a running database back to now, in place. */
export async function beginInPlace(test: TestContext) {
  const { context } = test;
  const { lane } = await aRunningProject(test);
  const [source] = await context.db.select().from(database);
  if (source === undefined) throw new Error("No stage.");
  const target_time = context.now().toISOString();
  const target = await resolveTarget(context, source, { target_time });
  await commit(context, beginRestoreInPlace(context, source, target, "test").statements);
  return { lane };
}

/** A running database that is to be as it was. */
export const scenario: Scenario = {
  begin: beginInPlace,
  isClean: async ({ context: { db }, host: made }) => {
    const [row] = await db.select().from(restore);
    const [source] = await db.select().from(database);
    const isAsBefore = [...made.databases.keys()].join() === source?.databaseName;
    const isAlone = made.recoveries.size === 0 && made.aside.size === 0;
    return isAsBefore && isAlone && row?.state === "failed";
  },
};
