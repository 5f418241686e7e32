// What verbs may ask of a cluster. `src/cluster/` speaks SQL and signed commands behind it;
// tests put a cluster in memory here that can be told to fail at any call.

/** The two Postgres roles of a database: who owns its objects, who logs in. */
export interface DatabaseRoles {
  readonly ownerRole: string;
  readonly loginRole: string;
  /** SCRAM-SHA-256 verifier as Postgres stores it; the password itself is never sent. */
  readonly verifier: string;
}

/** What one database may use of one pooler. */
export interface PoolLimits {
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
  createRoles(clusterId: string, roles: DatabaseRoles): Promise<void>;
  dropRoles(clusterId: string, roles: Omit<DatabaseRoles, "verifier">): Promise<void>;
  /** Creates the database, closed to all but `ownerRole`, which owns its schema `public`. */
  createDatabase(clusterId: string, name: string, ownerRole: string): Promise<void>;
  /** Ends the database's connections and drops it. */
  dropDatabase(clusterId: string, name: string): Promise<void>;
  /** Sets the poolers' limits of a database; null goes back to the poolers' defaults. */
  setPools(clusterId: string, name: string, pools: DatabasePools | null): Promise<void>;
  /** Runs `SELECT 1` with the very URL, from the cluster's side; throws when it does not answer. */
  probe(clusterId: string, url: string): Promise<void>;
  /** Throws, naming what is not ready, unless Postgres, both poolers and the host answer. */
  checkReady(clusterId: string): Promise<void>;
}
