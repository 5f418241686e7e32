// What a host and its cluster are.
import { z } from "zod";
import { Nothing } from "./protocol.ts";

/** Facts of a host and its cluster. */
export const StatusReport = z.object({
  /** `17.6`, `1.26.1`, `2.55.1`: as the programs say. */
  postgres_version: z.string(),
  pgbouncer_version: z.string(),
  pgbackrest_version: z.string(),
  /** When Postgres started, ISO 8601. */
  started_at: z.iso.datetime(),
  /** Server connections Postgres accepts in all. */
  max_connections: z.int(),
  disk_free_bytes: z.int(),
  disk_total_bytes: z.int().optional(),
  protocol: z.int().optional(),
  /** Names this Postgres among all; another one under the same id is another cluster. */
  system_identifier: z.string().optional(),
  memory_total_bytes: z.int(),
  /** How many databases the operator wants here at most. */
  databases_max: z.int(),
  /** How many backends tenants may have at once, as the host has planned. */
  backends_max: z.int(),
  /** Where clients reach its poolers. */
  listen: z
    .object({ public_host: z.string(), transaction_port: z.int(), session_port: z.int() })
    .optional(),
});
export type StatusReport = z.infer<typeof StatusReport>;

/** The question about them. */
export const statusCommands = {
  status: { input: Nothing, report: StatusReport },
} as const;
