import { eq } from "drizzle-orm";
import { commit } from "../../../src/core/batch.ts";
import { databasesOf } from "../../../src/database/find.ts";
import { beginRotate } from "../../../src/database/rotate.ts";
import { database } from "../../../src/database/table.ts";
import { operation } from "../../../src/operation/table.ts";
import type { Scenario } from "../scenario.ts";
import { aRunningProject } from "../seed.ts";

/** A running database whose credentials are rotated without an overlap. */
export const scenario: Scenario = {
  begin: async (test) => {
    const { projectId, lane } = await aRunningProject(test);
    for (const { row } of await databasesOf(test.context, projectId)) {
      await commit(test.context, (await beginRotate(test.context, row, 0, "test")).statements);
    }
    return { lane };
  },
  isClean: async ({ context: { db }, host: made }) => {
    const [row] = await db.select().from(database);
    const isRotation = eq(operation.kind, "database.rotate");
    const [rotation] = await db.select().from(operation).where(isRotation);
    const old = rotation?.input.oldLogin;
    const logins = made.logins(row?.databaseName ?? "");
    return row?.loginRole === old && row?.pendingLoginRole === null && String(logins) === old;
  },
};
