import type { Context } from "../core/context.ts";
import type { PlacedDatabase } from "./find.ts";
import { urlsOf } from "./url.ts";

/**
 * Proves that a database answers a query through the pooler, with the very URL its owner has. One
 * that few addresses may reach is asked by the pooler's socket: the host's own is none of them.
 * @throws Error when it does not answer.
 */
export async function probeDatabase(
  context: Context,
  { row, host }: PlacedDatabase,
): Promise<void> {
  const { databaseUrl } = await urlsOf(context, row, host);
  const by = row.allowedAddresses.length === 0 ? "address" : "socket";
  await context.host.probe(row.hostId, databaseUrl, by);
}
