import type { Context } from "../core/context.ts";
import { openPassword } from "./credential.ts";
import type { DatabaseRow } from "./table.ts";

/** What a client would log in to, and as whom. */
type Probed = Pick<
  DatabaseRow,
  "id" | "hostId" | "databaseName" | "loginRole" | "passwordSealed" | "allowedAddresses"
>;

/**
 * Proves that a database answers a query through the pooler, to the very login its owner has. One
 * that few addresses may reach is asked by the pooler's socket: the host's own is none of them.
 * @throws Error when it does not answer.
 */
export async function probeDatabase(context: Context, row: Probed): Promise<void> {
  const { hostId, databaseName: database, loginRole: user } = row;
  const login = { database, user, password: await openPassword(context, row) };
  const by = row.allowedAddresses.length === 0 ? "address" : "socket";
  await context.host.command(hostId, "database.probe", { login, by });
}
