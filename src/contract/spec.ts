// What a database is to be: the whole of it, so that it can be compared and given again.
import { z } from "zod";
import { PoolLimits } from "./pool.ts";

/** A network, such as `203.0.113.0/24` or `2001:db8::/32`. */
const Cidr = z.union([z.cidrv4(), z.cidrv6()]);

/** Who logs in: a name that is one user's on the whole host, and a SCRAM-SHA-256 verifier. */
export const Login = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9_]{0,62}$/, "1-63 of a-z, 0-9 and _"),
  verifier: z.string().regex(/^SCRAM-SHA-256\$[\w+/=:$]{20,300}$/, "a SCRAM-SHA-256 verifier"),
});
export type Login = z.infer<typeof Login>;

/** What a database is to be. */
export const DatabaseSpec = z.strictObject({
  /**
   * The first one owns the database and what is in it. The others are former ones that still work:
   * each acts as the first. A change of the first renames the role, so that what is set for it and
   * what it owns stays.
   */
  logins: z.array(Login).min(1).max(4),
  transaction: PoolLimits,
  session: PoolLimits,
  /** Memory of all processes of its instance together. */
  memory_bytes: z
    .int()
    .min(64 * 1024 ** 2)
    .max(2 ** 42),
  /** Processors it may use at a time, where the host has control groups to divide. */
  processors: z.number().min(0.1).max(1024),
  /** Bytes of temporary files one backend may have at a time. */
  temporary_bytes_max: z.int().min(1024 ** 2),
  /** Data and WAL it may take; the host's own quota stands well above it. */
  storage_bytes_max: z.int().min(16 * 1024 ** 2),
  /** True for one that is full: it is read, deleted from and vacuumed, and nothing is added. */
  is_full: z.boolean(),
  /** Idle time after which it sleeps, no process and no memory; 0 is never. */
  suspend_after_seconds: z.union([z.literal(0), z.int().min(5).max(604_800)]),
  /** Networks clients are let in from, over HTTP and WebSocket, too; none is from everywhere. */
  allowed_addresses: z.array(Cidr).max(100),
});
export type DatabaseSpec = z.infer<typeof DatabaseSpec>;
