import { eq } from "drizzle-orm";
import { database } from "../../../src/database/table.ts";
import { host } from "../../../src/host/table.ts";
import type { Scenario } from "../scenario.ts";
import { aProject, hostId } from "../seed.ts";

/** A project of medium size: its pools have lines of their own. */
export const scenario: Scenario = {
  begin: (test) => aProject(test, "medium"),
  isClean: async ({ context: { db }, host: made }) => {
    const live = await db.select().from(database).where(eq(database.state, "running"));
    const [place] = await db.select().from(host).where(eq(host.id, hostId));
    const isFree = place?.databasesCount === 0 && place.backendsCount === 0;
    return made.isEmpty() && live.length === 0 && isFree;
  },
};
