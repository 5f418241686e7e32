// Moments of a cluster that can be recovered.
import { z } from "zod";

/** The name of a restore point. */
const PointName = z.string().regex(/^[\w-]{1,63}$/);

/** Which database to recover, and up to where: the last commit not after it is the last there. */
export const MomentRequest = z.strictObject({
  /** Its oid in Postgres, which a name does not replace: names move. */
  database_oid: z
    .int()
    .min(16_384)
    .max(2 ** 32 - 1),
  target: z.union([
    z.strictObject({ time: z.iso.datetime() }),
    /** A restore point, and about when it was made. */
    z.strictObject({ name: PointName, at: z.iso.datetime() }),
    /** The end of this base backup. */
    z.strictObject({ backup: z.string().regex(/^[\w-]{1,40}$/) }),
  ]),
});
export type MomentRequest = z.infer<typeof MomentRequest>;

/** Which there are, and how one gets a name. */
export const momentCommands = {
  /**
   * The spans in which every moment can be recovered, the oldest first, from what is really
   * archived; brings the end of the last one to about now. Who asks about a moment that is in the
   * archive already does not wait for that.
   */
  recovery_window: {
    input: z.strictObject({ about: z.iso.datetime().optional() }),
    report: z.object({
      spans: z.array(z.object({ from: z.iso.datetime(), to: z.iso.datetime() })),
    }),
  },
  /** Marks a point in the WAL by name. */
  "restore_point.create": {
    input: z.strictObject({ name: PointName }),
    report: z.object({ lsn: z.string(), at: z.iso.datetime() }),
  },
} as const;
