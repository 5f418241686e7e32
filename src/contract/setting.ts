// What a database has of its host.
import { z } from "zod";
import { defaultPools, PoolLimits } from "./pool.ts";

/** A network, such as `203.0.113.0/24` or `2001:db8::/32`. */
export const Cidr = z.union([z.cidrv4(), z.cidrv6()]);

/** Memory of a backend that has no number of its own: that of the size `small`. */
export const backendBytesMin = 64 * 1024 * 1024;

/** What a database has of its host; the whole of it, so that it can be compared. */
export const DatabaseSettings = z.strictObject({
  transaction: PoolLimits,
  session: PoolLimits,
  /**
   * Suspends the database whenever for that long no statement came through the transaction port
   * and the session port had no client; the next client waits while it wakes. 0 is never.
   */
  suspend_after_seconds: z.union([z.literal(0), z.int().min(5).max(604_800)]),
  /** Private memory one backend may have; for a query that wants more it is `out of memory`. */
  bytes_per_backend: z
    .int()
    .min(backendBytesMin)
    .max(2 ** 40),
  /** Its share of the processors beside others', where the host has a control group to divide. */
  cpu_weight: z.int().min(1).max(10_000),
  /**
   * New clients are let in from these networks alone, over HTTP and WebSocket, too; none is from
   * everywhere.
   */
  allowed_addresses: z.array(Cidr).max(100),
});
export type DatabaseSettings = z.infer<typeof DatabaseSettings>;

/** What a database has that was never configured: the size `small`, always awake, open to all. */
export const defaultSettings: DatabaseSettings = {
  ...defaultPools,
  suspend_after_seconds: 0,
  bytes_per_backend: backendBytesMin,
  cpu_weight: 100,
  allowed_addresses: [],
};
