import { organization } from "../../../src/account/table.ts";
import { beginDestroy } from "../../../src/project/destroy.ts";
import { findProject } from "../../../src/project/find.ts";
import type { Scenario } from "../scenario.ts";
import { aRunningProject } from "../seed.ts";

/** A project with a running database, whose own destruction stands before it in the lane. */
export const scenario: Scenario = {
  begin: async (test) => {
    const { projectId, lane, request } = await aRunningProject(test);
    const found = await findProject(test.context, request.actor, projectId);
    await beginDestroy(test.context, found, request.requestId);
    return { lane };
  },
  isClean: async ({ context: { db }, host: made }) => {
    const [owner] = await db.select().from(organization);
    return made.isEmpty() && owner?.projectsCount === 0;
  },
};
