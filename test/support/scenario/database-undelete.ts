import { commit } from "../../../src/core/batch.ts";
import type { Context } from "../../../src/core/context.ts";
import { beginDelete } from "../../../src/database/delete.ts";
import { database } from "../../../src/database/table.ts";
import { beginUndelete } from "../../../src/database/undelete.ts";
import { runToEnd } from "../run.ts";
import type { Scenario } from "../scenario.ts";
import { aRunningProject } from "../seed.ts";

/** A deleted database that is to come back. */
export const scenario: Scenario = {
  begin: async (test) => {
    const { context } = test;
    const { lane } = await aRunningProject(test);
    const read = async () => {
      const [row] = await context.db.select().from(database);
      if (row === undefined) throw new Error("No stage.");
      return row;
    };
    await commit(context, beginDelete(context, await read(), grace(context), "test").statements);
    await runToEnd(test, lane);
    await commit(context, beginUndelete(context, await read(), "test").statements);
    return { lane };
  },
  isClean: async ({ context: { db }, host }) => {
    const [row] = await db.select().from(database);
    const isHeld = host.inState("stopped").length === 1;
    return row?.state === "deleted" && row.purgeAt !== null && isHeld;
  },
};

function grace({ now }: Context) {
  return { purgeAt: new Date(now().getTime() + 86_400_000), withProject: false };
}
