import { eq } from "drizzle-orm";
import type { Context } from "../core/context.ts";
import { notFound } from "../core/error.ts";
import { type HostRow, host } from "./table.ts";

/** @throws Error when there is no such host: its databases' rows name it, so it is a defect. */
export async function getHost(context: Pick<Context, "db">, hostId: string): Promise<HostRow> {
  const [row] = await context.db.select().from(host).where(eq(host.id, hostId));
  if (row === undefined) throw new Error(`Host ${hostId} is not registered.`);
  return row;
}

/** The host a caller names. @throws ApiError 404 when there is none. */
export async function findHost(context: Pick<Context, "db">, hostId: string): Promise<HostRow> {
  const [row] = await context.db.select().from(host).where(eq(host.id, hostId));
  if (row === undefined) throw notFound("host");
  return row;
}

/** Every host, oldest first, as a query for a read batch. */
export function allHosts(context: Pick<Context, "db">) {
  return context.db.select().from(host).orderBy(host.seq);
}
