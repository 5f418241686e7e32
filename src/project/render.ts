import type { z } from "@hono/zod-openapi";
import type { Context } from "../core/context.ts";
import type { PlacedDatabase } from "../database/find.ts";
import { type CreatedDatabase, renderDatabase } from "../database/schema.ts";
import { urlsOf } from "../database/url.ts";
import { activeOperations } from "../operation/find.ts";

/** Databases as a creation answers them: running ones with URLs, others with their operation. */
export async function renderCreated(
  context: Context,
  databases: readonly PlacedDatabase[],
): Promise<z.infer<typeof CreatedDatabase>[]> {
  const pending = databases.filter(({ row }) => row.state !== "running").map(({ row }) => row.id);
  const operations = await activeOperations(context, pending);
  return Promise.all(
    databases.map(async (each) => {
      const isRunning = each.row.state === "running";
      const urls = isRunning ? await urlsOf(context, each.row, each.host) : null;
      const operation = operations.get(each.row.id);
      return {
        ...renderDatabase(each),
        ...(operation === undefined ? {} : { operation_id: operation.id }),
        database_url: urls?.databaseUrl ?? null,
        database_url_session: urls?.databaseUrlSession ?? null,
      };
    }),
  );
}
