import { commit } from "../../../src/core/batch.ts";
import { database } from "../../../src/database/table.ts";
import { certificate, verification } from "../../../src/proof/table.ts";
import { beginVerification } from "../../../src/proof/verify.ts";
import type { Scenario } from "../scenario.ts";
import { aRunningProject, hostId } from "../seed.ts";

/** A host whose one database is to be verified. */
export const scenario: Scenario = {
  begin: async (test) => {
    await aRunningProject(test);
    const { context } = test;
    const rows = await context.db.select({ id: database.id }).from(database);
    const ids = rows.map(({ id }) => id);
    await commit(context, beginVerification(context, hostId, ids).statements);
    return { lane: `host:${hostId}` };
  },
  isClean: async ({ context: { db }, host }) => {
    const [row] = await db.select().from(verification);
    const certificates = await db.select().from(certificate);
    const { size } = host.things.verifications;
    return row?.state === "failed" && certificates.length === 0 && size === 0;
  },
};
