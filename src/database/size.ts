import type { DatabasePools } from "../core/cluster-port.ts";

/** Sizes a database comes in, smallest first. */
export const databaseSizes = ["small", "medium", "large"] as const;

/** One size. */
export type DatabaseSize = (typeof databaseSizes)[number];

/** The row of numbers behind a size. */
export interface SizeLimits {
  readonly storageBytes: number;
  readonly memoryBytes: number;
  readonly pools: DatabasePools;
}

const gigabyte = 1024 ** 3;
const megabyte = 1024 ** 2;

/** Published limits, and the backends each pooler may use to serve them. */
export const sizeLimits: Record<DatabaseSize, SizeLimits> = {
  small: {
    storageBytes: 1 * gigabyte,
    memoryBytes: 512 * megabyte,
    pools: {
      transaction: { pool_size: 8, client_connections_max: 100 },
      session: { pool_size: 10, client_connections_max: 10 },
    },
  },
  medium: {
    storageBytes: 10 * gigabyte,
    memoryBytes: 2048 * megabyte,
    pools: {
      transaction: { pool_size: 16, client_connections_max: 200 },
      session: { pool_size: 20, client_connections_max: 20 },
    },
  },
  large: {
    storageBytes: 100 * gigabyte,
    memoryBytes: 8192 * megabyte,
    pools: {
      transaction: { pool_size: 32, client_connections_max: 500 },
      session: { pool_size: 50, client_connections_max: 50 },
    },
  },
};

/** What the poolers must be told; null when their defaults already are this size's limits. */
export function poolsToSet(size: DatabaseSize): DatabasePools | null {
  return size === "small" ? null : sizeLimits[size].pools;
}
