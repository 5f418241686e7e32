// Which state of D1 a host works for.
import { z } from "zod";

/** The state of D1 a host last heard of. */
export const Mark = z.strictObject({
  /** Made anew with each D1 that begins empty. */
  epoch: z.uuid(),
  /** Made anew with each mark: a D1 that does not know it was brought back from before it. */
  state: z.uuid(),
  /** When it was made. */
  at: z.iso.datetime(),
});
export type Mark = z.infer<typeof Mark>;

/** How a host is told, and asked. */
export const markCommands = {
  /**
   * Tells the host the state of D1, and is told the one it knew. The host takes the new one over
   * when the one it knew is among the `expected`, or when `adopt` says so.
   */
  mark: {
    input: z.strictObject({ mark: Mark, expected: z.array(z.uuid()).max(2), adopt: z.boolean() }),
    report: z.object({ known: Mark.nullable() }),
  },
} as const;
