// What verbs may ask of a cluster. `src/cluster/` speaks SQL and signed commands behind it;
// tests put a cluster in memory here that can be told to fail at any call.

/** A database's name in Postgres and its two roles: who owns its objects, who logs in. */
export interface DatabaseNames {
  readonly databaseName: string;
  readonly ownerRole: string;
  readonly loginRole: string;
}

/** A database to be made. */
export interface DatabaseSpec extends DatabaseNames {
  /** SCRAM-SHA-256 verifier as Postgres stores it; the password itself is never sent. */
  readonly verifier: string;
}

/** What one database may use of one pooler. */
interface PoolLimits {
  /** Server connections (backends). */
  readonly pool_size: number;
  /** Client connections accepted; one more is refused with words. */
  readonly client_connections_max: number;
}

/** What a database may use of both poolers. */
export interface DatabasePools {
  readonly transaction: PoolLimits;
  readonly session: PoolLimits;
}

/** The effects on a cluster. Each may run twice with the same end; each throws when it failed. */
export interface ClusterPort {
  /** Makes the roles and the database, closed to all but them; the owner owns schema `public`. */
  createDatabase(clusterId: string, spec: DatabaseSpec): Promise<void>;
  /** Ends the database's connections, drops it, then its roles. */
  dropDatabase(clusterId: string, names: DatabaseNames): Promise<void>;
  /** Makes a login role beside those a database has, or sets its verifier anew. */
  createLogin(clusterId: string, spec: DatabaseSpec): Promise<void>;
  /** Gives what a login role owns to the owner role, ends its sessions and drops it. */
  dropLogin(clusterId: string, names: DatabaseNames): Promise<void>;
  /** Bytes a database takes on disk. */
  measure(clusterId: string, name: string): Promise<number>;
  /** Sets the poolers' limits of a database; null, for one that is gone, forgets them. */
  setPools(clusterId: string, name: string, pools: DatabasePools | null): Promise<void>;
  /** Runs `SELECT 1` with the very URL, from the cluster's side; throws when it does not answer. */
  probe(clusterId: string, url: string): Promise<void>;
  /** Throws, naming what is not ready, unless Postgres, both poolers and the host answer. */
  checkReady(clusterId: string): Promise<void>;
}
