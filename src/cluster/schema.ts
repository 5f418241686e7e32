import { z } from "@hono/zod-openapi";
import { Slug, Time } from "../core/schema.ts";
import { isLoopback } from "./loopback.ts";
import type { ClusterRow } from "./table.ts";

const Port = z.int().min(1).max(65_535);

/** Body of `clusters.register`. */
export const RegisterCluster = z
  .strictObject({
    id: z.uuid("must be a UUID"),
    name: Slug,
    host_url: z
      .url({ protocol: /^https?$/, error: "must be an http or https URL" })
      .refine(
        (url) => url.startsWith("https:") || isLoopback(new URL(url).hostname),
        "must be https unless it is on loopback",
      ),
    public_host: z
      .string()
      .regex(/^[A-Za-z0-9.:-]{1,253}$/, "must be a host name or an IP address"),
    transaction_port: Port,
    session_port: Port,
    control_user: z.string().regex(/^[a-z_][a-z0-9_]{0,62}$/, "must be a role name"),
    control_password: z.string().min(16).max(200),
    databases_max: z.int().min(1).max(5000),
  })
  .openapi("RegisterCluster");

/** A cluster as an operator sees it. */
export const Cluster = z
  .object({
    id: z.string(),
    name: z.string(),
    host_url: z.string(),
    public_host: z.string(),
    transaction_port: z.int(),
    session_port: z.int(),
    databases_max: z.int(),
    databases_count: z.int(),
    state: z.enum(["active", "draining"]),
    created_at: Time,
    updated_at: Time,
  })
  .openapi("Cluster");

/** Renders a row, without its login. */
export function renderCluster(row: ClusterRow): z.infer<typeof Cluster> {
  return {
    id: row.id,
    name: row.name,
    host_url: row.hostUrl,
    public_host: row.publicHost,
    transaction_port: row.transactionPort,
    session_port: row.sessionPort,
    databases_max: row.databasesMax,
    databases_count: row.databasesCount,
    state: row.state,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}
