import { eq } from "drizzle-orm";
import { beginClone } from "../../../src/branch/clone.ts";
import { commit } from "../../../src/core/batch.ts";
import { attributionOf } from "../../../src/core/column.ts";
import { database } from "../../../src/database/table.ts";
import { listEnvironments } from "../../../src/environment/find.ts";
import { host } from "../../../src/host/table.ts";
import type { Scenario } from "../scenario.ts";
import { aRunningProject, hostId } from "../seed.ts";

/** A running database that is to be branched as it is. */
export const scenario: Scenario = {
  begin: async (test) => {
    const { context } = test;
    const { projectId, lane } = await aRunningProject(test, "medium");
    const [source] = await context.db.select().from(database);
    const [environment] = await listEnvironments(context, projectId);
    if (source === undefined || environment === undefined) throw new Error("No stage.");
    const { workspaceId } = source;
    const branch = { expiresAt: new Date(context.now().getTime() + 86_400_000) };
    const of = { projectId, workspaceId, attribution: attributionOf(source), environment };
    const place = { ...of, name: "branch", branch };
    await commit(context, (await beginClone(context, source, place, "test")).statements);
    return { lane };
  },
  isClean: async ({ context: { db }, host: made }) => {
    const live = await db.select().from(database).where(eq(database.state, "running"));
    const [place] = await db.select().from(host).where(eq(host.id, hostId));
    const isCounted = place?.databasesCount === 1 && place.backendsCount === 16;
    return made.databases.size === 1 && live.length === 1 && isCounted;
  },
};
