import type { DatabasePools } from "../core/cluster-port.ts";

/** Sizes a database comes in, smallest first. */
export const databaseSizes = ["small", "medium", "large"] as const;

/** One size. */
export type DatabaseSize = (typeof databaseSizes)[number];

/** The row of numbers behind a size. */
export interface SizeLimits {
  /** A share of the cluster's cores in the vocabulary of older clients. */
  readonly cpuCount: number;
  readonly storageBytes: number;
  readonly memoryBytes: number;
  readonly pools: DatabasePools;
}

const gigabyte = 1024 ** 3;
const megabyte = 1024 ** 2;

/** Published limits, and the backends each pooler may use to serve them. */
export const sizeLimits: Record<DatabaseSize, SizeLimits> = {
  small: {
    cpuCount: 1,
    storageBytes: 1 * gigabyte,
    memoryBytes: 512 * megabyte,
    pools: {
      transaction: { pool_size: 8, client_connections_max: 100 },
      session: { pool_size: 10, client_connections_max: 10 },
    },
  },
  medium: {
    cpuCount: 2,
    storageBytes: 10 * gigabyte,
    memoryBytes: 2048 * megabyte,
    pools: {
      transaction: { pool_size: 16, client_connections_max: 200 },
      session: { pool_size: 20, client_connections_max: 20 },
    },
  },
  large: {
    cpuCount: 4,
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

/** The smallest size that holds these numbers (MB, cores), or null when none does. */
export function sizeFor(wanted: {
  readonly cpu_count?: number | undefined;
  readonly memory_mb?: number | undefined;
  readonly storage_mb?: number | undefined;
}): DatabaseSize | null {
  const { cpu_count = 0, memory_mb = 0, storage_mb = 0 } = wanted;
  const fits = (size: DatabaseSize) => {
    const { cpuCount, memoryBytes, storageBytes } = sizeLimits[size];
    return (
      cpu_count <= cpuCount &&
      memory_mb * megabyte <= memoryBytes &&
      storage_mb * megabyte <= storageBytes
    );
  };
  return databaseSizes.find(fits) ?? null;
}
