import { eq } from "drizzle-orm";
import { commit } from "../../../src/core/batch.ts";
import { attributionOf } from "../../../src/core/column.ts";
import { database } from "../../../src/database/table.ts";
import { listEnvironments } from "../../../src/environment/find.ts";
import { host } from "../../../src/host/table.ts";
import { beginRestoreNew } from "../../../src/restore/restore-new.ts";
import { restore } from "../../../src/restore/table.ts";
import { resolveTarget } from "../../../src/restore/target.ts";
import type { Scenario } from "../scenario.ts";
import { aRunningProject, hostId } from "../seed.ts";

/** A running database that is to be had as it was, beside itself. */
export const scenario: Scenario = {
  begin: async (test) => {
    const { context } = test;
    const { projectId, lane } = await aRunningProject(test, "medium");
    const [source] = await context.db.select().from(database);
    const [environment] = await listEnvironments(context, projectId);
    if (source === undefined || environment === undefined) throw new Error("No stage.");
    const target_time = context.now().toISOString();
    const target = await resolveTarget(context, source, { target_time });
    const { workspaceId } = source;
    const attribution = attributionOf(source);
    const place = { projectId, workspaceId, attribution, environment, name: "restored" };
    const begun = await beginRestoreNew(context, source, target, place, "test");
    await commit(context, begun.statements);
    return { lane };
  },
  isClean: async ({ context: { db }, host: made }) => {
    const live = await db.select().from(database).where(eq(database.state, "running"));
    const [row] = await db.select().from(restore);
    const [place] = await db.select().from(host).where(eq(host.id, hostId));
    const isAlone = made.databases.size === 1 && made.recoveries.size === 0;
    const isCounted = place?.databasesCount === 1 && place.backendsCount === 16;
    return isAlone && live.length === 1 && row?.state === "failed" && isCounted;
  },
};
