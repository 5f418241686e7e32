import { clientsPerBackend } from "../contract/pool.ts";

/** Sizes a database comes in, smallest first. */
export const databaseSizes = ["small", "medium", "large"] as const;

/** One size. */
export type DatabaseSize = (typeof databaseSizes)[number];

/** The row of numbers behind a size. */
export interface SizeLimits {
  /** A share of the host's cores in the vocabulary of older clients. */
  readonly cpuCount: number;
  /** Storage it begins with. */
  readonly storageBytes: number;
  /** Storage it grows to by itself. */
  readonly storageBytesMax: number;
  readonly memoryBytes: number;
  /** Clients of the transaction port, and the backends that serve them. */
  readonly connectionsMax: number;
  readonly poolSize: number;
  /** Clients of the session port; each has a backend of its own. */
  readonly sessionConnectionsMax: number;
  /** Temporary files one backend may have at a time. */
  readonly temporaryBytesMax: number;
}

/** Some of the numbers, in place of a size's own. */
export type LimitOverrides = Partial<Omit<SizeLimits, "cpuCount">>;

const gigabyte = 1024 ** 3;
const megabyte = 1024 ** 2;

/**
 * Published limits; a plan or an operator may put others in their place. Backends are few, as each
 * host has room for all that its databases may have at once: a pool of 4 serves 100 clients
 * with transactions of 100 ms within 2.5 s, and 2,400 backends serve 300 such databases.
 */
export const sizeLimits: Record<DatabaseSize, SizeLimits> = {
  small: {
    cpuCount: 1,
    storageBytes: 1 * gigabyte,
    storageBytesMax: 10 * gigabyte,
    memoryBytes: 512 * megabyte,
    connectionsMax: 100,
    poolSize: 4,
    sessionConnectionsMax: 4,
    temporaryBytesMax: 256 * megabyte,
  },
  medium: {
    cpuCount: 2,
    storageBytes: 10 * gigabyte,
    storageBytesMax: 100 * gigabyte,
    memoryBytes: 2048 * megabyte,
    connectionsMax: 200,
    poolSize: 8,
    sessionConnectionsMax: 8,
    temporaryBytesMax: 1 * gigabyte,
  },
  large: {
    cpuCount: 4,
    storageBytes: 100 * gigabyte,
    storageBytesMax: 1000 * gigabyte,
    memoryBytes: 8192 * megabyte,
    connectionsMax: 500,
    poolSize: 16,
    sessionConnectionsMax: 16,
    temporaryBytesMax: 4 * gigabyte,
  },
};

/** What limits are made of, as a row has it. */
export interface Limited {
  readonly size: DatabaseSize;
  readonly planLimits: LimitOverrides;
  readonly ownLimits: LimitOverrides;
}

/** The limits of one database: its operator's numbers, else its plan's, else its size's. */
export function limitsOf({ size, planLimits, ownLimits }: Limited): SizeLimits {
  return { ...sizeLimits[size], ...planLimits, ...ownLimits };
}

/** What a database takes of its host's backends: both ports', or what its clients take. */
export function backendsOf(limits: SizeLimits): number {
  const { poolSize, sessionConnectionsMax, connectionsMax } = limits;
  return Math.max(poolSize + sessionConnectionsMax, Math.ceil(connectionsMax / clientsPerBackend));
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
