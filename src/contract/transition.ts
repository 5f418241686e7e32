// What a host does to databases by itself.
import { z } from "zod";
import { DatabaseName } from "./name.ts";

/** A change the host made by itself. */
export const Transition = z.object({
  /** Increases by one from transition to transition of a cluster. */
  seq: z.int().min(1),
  database: DatabaseName,
  to: z.enum(["suspended", "woken"]),
  /** The moment no backend was left, or clients were let through; ISO 8601, milliseconds. */
  at: z.iso.datetime(),
});
export type Transition = z.infer<typeof Transition>;

/** The question about it. */
export const transitionCommands = {
  /**
   * Suspensions and wakes since `after_seq`, the oldest first. Only the last ten thousand are
   * kept: when the first `seq` is not the next one, those between are lost.
   */
  report: {
    input: z.strictObject({ after_seq: z.int().min(0), limit: z.int().min(1).max(1000) }),
    report: z.object({ transitions: z.array(Transition), last_seq: z.int().min(0) }),
  },
} as const;
