import { z } from "@hono/zod-openapi";
import { smallBackends } from "../contract/pool.ts";
import { protocolVersion } from "../contract/protocol.ts";
import { Slug, Time } from "../core/schema.ts";
import { isLoopback } from "./loopback.ts";
import type { HostRow } from "./table.ts";

const Port = z.int().min(1).max(65_535);

/** Body of `hosts.register`. */
export const RegisterHost = z
  .strictObject({
    id: z.uuid("must be a UUID"),
    name: Slug,
    host_url: z
      .url({ protocol: /^https?$/, error: "must be an http or https URL" })
      .refine(
        (url) => url.startsWith("https:") || isLoopback(new URL(url).hostname),
        "must be https unless it is on loopback",
      )
      .refine(
        (url) => new URL(url).href === `${new URL(url).origin}/`,
        "must be a scheme, a host and a port, and nothing else",
      )
      .transform((url) => new URL(url).origin),
    public_host: z
      .string()
      .regex(/^[A-Za-z0-9.:-]{1,253}$/, "must be a host name or an IP address"),
    transaction_port: Port,
    session_port: Port,
    ca_certificates: z
      .string()
      .max(100_000)
      // Certificates alone: what stands here is public.
      .regex(/^(-----BEGIN CERTIFICATE-----[\w+/=\s]+-----END CERTIFICATE-----\s*)+$/, {
        error: "must be certificates in PEM, and nothing else",
      })
      .optional()
      .openapi({
        description:
          "Who vouches for its certificate, when clients' systems do not know them: anybody gets " +
          "them at `/.well-known/miosa-ca.pem`. Both during a change from one to another.",
      }),
    databases_max: z.int().min(1).max(5000),
    backends_max: z
      .int()
      .min(smallBackends)
      .max(100_000)
      .optional()
      .openapi({
        description:
          "Backends tenants may have at once: `backends_max` of its own configuration. When " +
          "absent, what the host itself says.",
      }),
  })
  .openapi("RegisterHost");

/** Body of `hosts.update`. */
export const UpdateHost = z
  .strictObject({
    name: Slug.optional(),
    state: z.enum(["active", "draining"], "must be active or draining").optional(),
    databases_max: z.int().min(1).max(5000).optional(),
  })
  .openapi("UpdateHost", { example: { state: "draining" } });

/** A host as an operator sees it. */
export const Host = z
  .object({
    id: z.string(),
    name: z.string(),
    host_url: z.string(),
    public_host: z.string(),
    transaction_port: z.int(),
    session_port: z.int(),
    databases_max: z.int(),
    databases_count: z.int(),
    backends_max: z.int(),
    backends_count: z.int().openapi({ description: "Backends its databases may have at once" }),
    state: z.enum(["active", "draining"]).openapi({
      description: "A draining one keeps its databases and takes no new one",
    }),
    silent_since: Time.nullable(),
    silent_reason: z.string().nullable(),
    disk_free_bytes: z.int().nullable(),
    disk_total_bytes: z.int().nullable(),
    identity: z.string().openapi({ description: "Made once, with the host's directory" }),
    protocol: z.int().openapi({ description: "Version the host speaks" }),
    worker_protocol: z.int().openapi({ description: "Version this Worker speaks" }),
    created_at: Time,
    updated_at: Time,
  })
  .openapi("Host");

/** Renders a row. */
export function renderHost(row: HostRow): z.infer<typeof Host> {
  return {
    id: row.id,
    name: row.name,
    host_url: row.hostUrl,
    public_host: row.publicHost,
    transaction_port: row.transactionPort,
    session_port: row.sessionPort,
    databases_max: row.databasesMax,
    databases_count: row.databasesCount,
    backends_max: row.backendsMax,
    backends_count: row.backendsCount,
    state: row.state,
    silent_since: row.silentSince?.toISOString() ?? null,
    silent_reason: row.silentReason,
    disk_free_bytes: row.diskFreeBytes,
    disk_total_bytes: row.diskTotalBytes,
    identity: row.identity,
    protocol: row.protocol,
    worker_protocol: protocolVersion,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}
