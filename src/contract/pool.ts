// What a database may use of a pooler.
import { z } from "zod";

/** What one database may use of one pooler. */
export const PoolLimits = z.strictObject({
  /** Server connections (backends) of the database in this pooler. */
  pool_size: z.int().min(1).max(500),
  /** Client connections accepted; one more is refused with words. */
  client_connections_max: z.int().min(1).max(20_000),
});
export type PoolLimits = z.infer<typeof PoolLimits>;

/** The limits of a database that has no line of its own: those of the size `small`. */
export const defaultPools = {
  transaction: { pool_size: 4, client_connections_max: 100 },
  session: { pool_size: 4, client_connections_max: 4 },
} as const;

/** Backends of such a database on both ports: what each of a cluster's databases takes at least. */
export const smallBackends = defaultPools.transaction.pool_size + defaultPools.session.pool_size;

/**
 * Clients a cluster's poolers are ready for, by backend. A size has no more; a database that was
 * given more clients than that counts as one with more backends.
 */
export const clientsPerBackend = 16;
