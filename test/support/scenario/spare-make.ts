import { beginSpare } from "../../../src/database/spare-make.ts";
import { spare } from "../../../src/database/table.ts";
import { host } from "../../../src/host/table.ts";
import type { Scenario } from "../scenario.ts";
import { anInstallation, hostId } from "../seed.ts";

/** A host that is to have a spare. */
export const scenario: Scenario = {
  begin: async ({ context }) => {
    await anInstallation(context);
    await beginSpare(context, hostId);
    return { lane: `spare:${hostId}` };
  },
  isClean: async ({ context: { db }, host: made }) => {
    const [place] = await db.select().from(host);
    const isFree = place?.databasesCount === 0 && place.backendsCount === 0;
    return made.isEmpty() && isFree && (await db.select().from(spare)).length === 0;
  },
};
