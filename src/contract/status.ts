// What a host is.
import { z } from "zod";
import { Nothing } from "./protocol.ts";

/** Facts of a host. */
const StatusReport = z.object({
  /** `17.6`, `1.26.1`, `2.55.1`: as the programs say. */
  postgres_version: z.string(),
  pgbouncer_version: z.string(),
  pgbackrest_version: z.string(),
  /** When the host program started. */
  started_at: z.iso.datetime(),
  disk_free_bytes: z.int(),
  disk_total_bytes: z.int(),
  memory_total_bytes: z.int(),
  /** Of the machine, now. */
  memory_available_bytes: z.int(),
  processors: z.int(),
  protocol: z.int(),
  /** Made once with the directory of the host; another one under the same id is another host. */
  identity: z.string(),
  /** How many databases the operator wants here at most, and how many backends of them. */
  databases_max: z.int(),
  backends_max: z.int(),
  /** Instances there are, and those of them that run. */
  instances: z.int(),
  instances_running: z.int(),
  /** Where clients reach its poolers. */
  listen: z.object({
    public_host: z.string(),
    transaction_port: z.int(),
    session_port: z.int(),
  }),
});
export type StatusReport = z.infer<typeof StatusReport>;

/** The question about them. */
export const statusCommands = {
  status: { input: Nothing, report: StatusReport },
} as const;
