import { commit } from "../../../src/core/batch.ts";
import { database } from "../../../src/database/table.ts";
import { beginPreview } from "../../../src/restore/preview.ts";
import { restore } from "../../../src/restore/table.ts";
import { resolveTarget } from "../../../src/restore/target.ts";
import type { TestContext } from "../context.ts";
import type { Scenario } from "../scenario.ts";
import { aRunningProject } from "../seed.ts";

/** Begins to open a running database as it is now for reading, for an hour. */
export async function beginAPreview(test: TestContext) {
  const { context } = test;
  const { lane } = await aRunningProject(test);
  const [source] = await context.db.select().from(database);
  if (source === undefined) throw new Error("No stage.");
  const target = await resolveTarget(context, source, { target_time: context.now().toISOString() });
  const wanted = { keepSeconds: 3600, requestId: "test" };
  await commit(context, (await beginPreview(context, source, target, wanted)).statements);
  return { lane };
}

/** A running database that is to be looked at as it was. */
export const scenario: Scenario = {
  begin: beginAPreview,
  isClean: async ({ context: { db }, host: made }) => {
    const [row] = await db.select().from(restore);
    const isAlone = made.databases.size === 1 && made.recoveries.size === 0;
    return isAlone && row?.state === "failed" && row.previewSlot === null;
  },
};
