import { z } from "zod";

/** A path that programs, shells and settings files take as it is. */
export const AbsolutePath = z
  .string()
  .regex(/^\/[^\p{Cc}'",\\%:]+[^/\p{Cc}'",\\%:]$/u, "an absolute path, no quotes, commas, : or %");

/** Where the programs are. */
export const Binaries = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("native"),
    /** Directory that holds `postgres` and `initdb`. */
    postgres: AbsolutePath,
    pgbouncer: AbsolutePath,
    pgbackrest: AbsolutePath,
  }),
  z.strictObject({
    kind: z.literal("rootfs"),
    /** A Debian 13 root file system with the packages installed. */
    path: AbsolutePath,
    bwrap: AbsolutePath,
  }),
]);
export type Binaries = z.infer<typeof Binaries>;
