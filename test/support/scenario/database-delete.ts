import { commit } from "../../../src/core/batch.ts";
import type { Context } from "../../../src/core/context.ts";
import { beginDelete } from "../../../src/database/delete.ts";
import { database } from "../../../src/database/table.ts";
import type { Scenario } from "../scenario.ts";
import { aRunningProject } from "../seed.ts";

/** A running database that is to be out of reach, for a day at first. */
export const scenario: Scenario = {
  begin: async (test) => {
    const { lane } = await aRunningProject(test);
    const [row] = await test.context.db.select().from(database);
    if (row === undefined) throw new Error("No stage.");
    await commit(
      test.context,
      beginDelete(test.context, row, grace(test.context), "test").statements,
    );
    return { lane };
  },
  isClean: async ({ context: { db }, host }) => {
    const [row] = await db.select().from(database);
    return row?.state === "running" && row.purgeAt === null && host.inState("running").length === 1;
  },
};

function grace({ now }: Context) {
  return { purgeAt: new Date(now().getTime() + 86_400_000), withProject: false };
}
