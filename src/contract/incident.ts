// What happens to a host's servers.
import { z } from "zod";
import { DatabaseName } from "./name.ts";

/** Something that happened to a host's servers and that nobody asked for. */
export const Incident = z.object({
  /** Increases by one from incident to incident of a host. */
  seq: z.int().min(1),
  program: z.enum(["postgres", "transaction", "session", "host"]),
  what: z.enum(["crashed", "out_of_memory", "halted", "hung", "left"]),
  /** Whose Postgres it was, where each database has its own. */
  database: DatabaseName.optional(),
  /** What was seen and done, in words. */
  detail: z.string(),
  at: z.iso.datetime(),
});
export type Incident = z.infer<typeof Incident>;

/** The question about it. */
export const incidentCommands = {
  /** What happened to the servers after an incident, the oldest first. */
  incidents: {
    input: z.strictObject({ after_seq: z.int().min(0), limit: z.int().min(1).max(1000) }),
    report: z.object({ incidents: z.array(Incident), last_seq: z.int().min(0) }),
  },
} as const;
