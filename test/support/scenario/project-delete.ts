import { organization } from "../../../src/account/table.ts";
import { database } from "../../../src/database/table.ts";
import { deleteProject } from "../../../src/project/delete.ts";
import { findProject } from "../../../src/project/find.ts";
import type { Scenario } from "../scenario.ts";
import { aRunningProject } from "../seed.ts";

/** A project with a running database, whose own deletion stands before it in the lane. */
export const scenario: Scenario = {
  begin: async (test) => {
    const { projectId, lane, request } = await aRunningProject(test);
    const found = await findProject(test.context, request.actor, projectId);
    await deleteProject(test.context, found, 86_400, request.requestId);
    return { lane };
  },
  isClean: async ({ context: { db } }) => {
    const [owner] = await db.select().from(organization);
    const [row] = await db.select().from(database);
    return row?.state === "deleted" && owner?.projectsCount === 0;
  },
};
