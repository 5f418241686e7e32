import { beginSpare, leaveSpare } from "../../../src/database/spare-make.ts";
import { spare } from "../../../src/database/table.ts";
import { host } from "../../../src/host/table.ts";
import { runToEnd } from "../run.ts";
import type { Scenario } from "../scenario.ts";
import { anInstallation, hostId } from "../seed.ts";

/** A spare nobody wants any more. */
export const scenario: Scenario = {
  begin: async (test) => {
    const { context } = test;
    await anInstallation(context);
    await beginSpare(context, hostId);
    const lane = `spare:${hostId}`;
    await runToEnd(test, lane);
    const [row] = await context.db.select().from(spare);
    if (row === undefined) throw new Error("No stage.");
    await leaveSpare(context, row);
    return { lane };
  },
  isClean: async ({ context: { db }, host: made }) => {
    const [place] = await db.select().from(host);
    const isFree = place?.databasesCount === 0 && place.backendsCount === 0;
    return made.isEmpty() && isFree && (await db.select().from(spare)).length === 0;
  },
};
