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

/** Everything a database has of its cluster, derived from its row. */
export interface DatabaseSettings extends DatabasePools {
  /** Idle time after which the host suspends it; 0 is never. */
  readonly suspend_after_seconds: number;
  /** Private memory one backend may have. */
  readonly bytes_per_backend: number;
  /** Its share of the processors beside others'; a small database has 100. */
  readonly cpu_weight: number;
  /** Networks (CIDR) new clients are let in from; empty is from everywhere. */
  readonly allowed_addresses: string[];
}

/** A change a host made by itself. */
export interface HostTransition {
  readonly seq: number;
  readonly database: string;
  readonly to: "suspended" | "woken";
  /** ISO 8601. */
  readonly at: string;
}

/** Something that happened to a host's servers; see `Incident` of `src/contract/incident.ts`. */
export interface HostIncident {
  readonly seq: number;
  readonly program: "postgres" | "transaction" | "session" | "host";
  readonly what: "crashed" | "out_of_memory" | "halted" | "hung" | "left";
  readonly detail: string;
  readonly at: string;
}

/** A state of D1; see `Mark` of `src/contract/mark.ts`. */
export interface ClusterMark {
  readonly epoch: string;
  readonly state: string;
  readonly at: string;
}

/** Where a cluster is to be, before anything of it is believed. */
export interface ClusterLogin {
  readonly hostUrl: string;
  readonly controlUser: string;
  readonly controlPassword: string;
}

/** A cluster as an operator describes it. */
export interface ClusterPlace extends ClusterLogin {
  readonly publicHost: string;
  readonly transactionPort: number;
  readonly sessionPort: number;
}

/** What a cluster proved to be. */
export interface ClusterFacts {
  readonly systemIdentifier: string | null;
  readonly backendsMax: number;
  readonly diskFreeBytes: number;
  readonly diskTotalBytes: number | null;
  readonly protocol: number | null;
}

/** Something put aside that no row names. */
export interface TrashItem {
  readonly kind: "database" | "role";
  /** As it is called now: `trash_20261128_proj_…`. */
  readonly name: string;
  readonly formerName: string;
  /** The day it was put aside, `2026-11-28`. */
  readonly day: string;
}

/** What is kept about one database beside Postgres. */
export interface HostDatabase {
  readonly database: string;
  readonly state: "running" | "suspended" | "stopped";
  readonly settings: DatabaseSettings;
}

/** One line of a log about one database. */
export interface DatabaseLogLine {
  readonly at: string;
  readonly source: "postgres" | "transaction-pooler" | "session-pooler";
  readonly level: "debug" | "info" | "warning" | "error" | "fatal";
  readonly message: string;
  readonly sqlstate: string | null;
}

/** Which lines: the last ones, after a cursor or since a moment when given. */
export interface LogRequest {
  readonly lines: number;
  readonly since?: string;
  readonly after?: string;
}

/** What one database did in one span of time; see `MetricPoint` of `src/contract/metric.ts`. */
export interface DatabaseMetricPoint {
  readonly at: string;
  readonly seconds: number;
  readonly transactions: number;
  readonly rollbacks: number;
  readonly errors: number;
  readonly slow_statements: number;
  readonly blocks_hit: number;
  readonly blocks_read: number;
  readonly deadlocks: number;
  readonly temporary_bytes: number;
  readonly size_bytes: number;
  readonly client_connections: number;
  readonly waiting_clients: number;
  readonly server_connections: number;
}

/** One backend of a database. */
export interface DatabaseSession {
  readonly pid: number;
  readonly role: string;
  readonly application: string;
  /** As in `pg_stat_activity`: `active`, `idle`, `idle in transaction`, … */
  readonly state: string | null;
  /** `Lock: relation`, `Client: ClientRead`, …; null while it works. */
  readonly wait: string | null;
  /** Pids of the same database it waits for. */
  readonly blockedBy: number[];
  readonly query: string;
  /** Seconds since it began, since its transaction and its statement did. */
  readonly ageSeconds: number;
  readonly transactionSeconds: number | null;
  readonly querySeconds: number | null;
}

/** A base backup in one of a cluster's repositories. */
export interface ClusterBackup {
  readonly label: string;
  readonly repository: number;
  readonly type: "full" | "diff" | "incr";
  readonly started_at: string;
  readonly stopped_at: string;
  readonly database_bytes: number;
  readonly repository_bytes: number;
}

/** How archiving of WAL goes. */
export interface ArchiveStatus {
  readonly last_archived_at: string | null;
  /** Since when a finished segment waits to be archived; null when none does. */
  readonly unarchived_since: string | null;
  /** Bytes of WAL ever written: the difference of two is what was written between. */
  readonly wal_bytes: number;
  /** What was written since the last base backup ended; null when that is not known. */
  readonly written_since_backup_bytes: number | null;
  /** Since when the second repository lacks something, and why; null where there is none. */
  readonly store: { readonly behind_since: string | null; readonly reason: string | null } | null;
}

/** Which database to recover, and up to where; or which dump to take instead. */
export type RecoveryRequest =
  | {
      readonly database_oid: number;
      readonly target:
        | { readonly time: string }
        | { readonly name: string; readonly at: string }
        | { readonly backup: string };
    }
  | { readonly dump_id: string };

/** An archive a host keeps. */
export interface StoredDump {
  readonly dump_id: string;
  readonly size_bytes: number;
  readonly sha256: string;
  /** ISO 8601. */
  readonly stored_at: string;
  readonly made_with: string;
}

/** What a dump has come to; see `DumpReport` of `src/contract/dump.ts`. */
export interface ClusterDump {
  readonly state: "waiting" | "running" | "succeeded" | "failed";
  readonly position: number;
  readonly bytes_done: number;
  readonly error: string | null;
  readonly stored: StoredDump | null;
}

/** What a recovery could not use, though it was better; see `src/contract/recovery.ts`. */
export interface PassedOver {
  readonly repository: 1 | 2;
  readonly backup_label: string | null;
  readonly problem: string;
  readonly is_damage: boolean;
}

/** What a recovery has come to; see `RecoveryReport` of `src/contract/recovery.ts`. */
export interface ClusterRecovery {
  readonly state: "waiting" | "running" | "ready" | "failed";
  readonly position: number;
  readonly step: string;
  readonly step_milliseconds: Record<string, number>;
  readonly bytes_total: number;
  readonly bytes_restored: number;
  readonly backup_label: string | null;
  readonly method: "filtered" | "stock" | null;
  readonly repository: 1 | 2 | null;
  readonly start_lsn: string | null;
  readonly replayed_lsn: string | null;
  readonly reached_at: string | null;
  readonly evidence: string | null;
  readonly passed_over: readonly PassedOver[];
  readonly error: string | null;
  readonly load: {
    readonly database: string;
    readonly state: "running" | "succeeded" | "failed";
    readonly error: string | null;
  } | null;
}

/** A database to verify; without a login its rows are not compared. */
export interface VerificationTarget {
  readonly database_id: string;
  readonly database_oid: number;
  readonly login: LoadTarget | null;
}

/** One look at what was restored; see `VerificationCheck` of `src/contract/verification.ts`. */
interface VerificationCheck {
  readonly name: "restore" | "content" | "indexes" | "checksums" | "repository";
  readonly result: "passed" | "failed" | "skipped";
  readonly detail: string;
  readonly milliseconds: number;
}

/** One database that was restored to be looked at; see `src/contract/verification.ts`. */
export interface VerifiedDatabase {
  readonly database_id: string;
  readonly restore_point: { readonly name: string; readonly lsn: string; readonly at: string };
  readonly reached_at: string | null;
  readonly evidence: string | null;
  readonly backup_label: string | null;
  readonly method: "filtered" | "stock" | null;
  readonly repository: 1 | 2 | null;
  readonly manifest: {
    readonly tables: number;
    readonly rows: number;
    readonly tables_left_out: number;
    readonly sha256: string;
  } | null;
  readonly checks: readonly VerificationCheck[];
  readonly started_at: string;
  readonly finished_at: string;
}

/** What a verification has come to; `succeeded` whatever was found. */
export interface ClusterVerification {
  readonly state: "running" | "succeeded" | "failed";
  readonly error: string | null;
  readonly versions: {
    readonly postgres: string;
    readonly pgbackrest: string;
    readonly host: string;
  } | null;
  readonly databases: readonly VerifiedDatabase[];
}

/** Where a recovered database is loaded, or what is dumped, and as whom. */
export interface LoadTarget {
  readonly database: string;
  readonly user: string;
  readonly password: string;
}

/** How what was recovered is opened; see `PreviewRequest` of `src/contract/preview.ts`. */
export interface PreviewSpec {
  readonly name: string;
  readonly login: string;
  readonly verifier: string;
  readonly keep_seconds: number;
  readonly settings: Omit<DatabaseSettings, "suspend_after_seconds">;
}

/** Which names change places: what is live goes aside, its twin takes its place. */
export interface DatabaseSwap {
  readonly live: string;
  readonly twin: string;
  readonly aside: string;
}

/** A tenant's database as Postgres has it. */
export interface FoundDatabase {
  readonly name: string;
  readonly allowsConnections: boolean;
  /** -1 is none. */
  readonly connectionLimit: number;
  /** By role, as Postgres writes them: `C` create, `T` temporary, `c` connect; "" is everybody. */
  readonly privileges: Readonly<Record<string, string>>;
  /** Names of the parameters that are set for the whole database. */
  readonly parameters: readonly string[];
}

/** A tenant's role as Postgres has it. */
export interface FoundRole {
  readonly name: string;
  readonly canLogin: boolean;
  /** Superuser, CREATEDB, CREATEROLE, REPLICATION or BYPASSRLS. */
  readonly hasPower: boolean;
  /** It expires, has a connection limit, or does not inherit. */
  readonly isLimited: boolean;
  /** Roles it is a member of and may become. */
  readonly memberOf: readonly string[];
  /** What its sessions become at login: each `SET role` it has, in whatever database. */
  readonly becomes: readonly string[];
  /** True when its password is another than the one it was given. */
  readonly hasOtherPassword: boolean;
  /** Databases in which a login owns something itself. */
  readonly ownsIn: readonly string[];
}

/** What Postgres has of tenants; spare databases are nobody's and left out. */
export interface ClusterInventory {
  readonly databases: readonly FoundDatabase[];
  readonly roles: readonly FoundRole[];
}

/** What a login role is to be. */
export interface LoginRepair {
  readonly databaseName: string;
  readonly ownerRole: string;
  readonly loginRole: string;
  /** The one role it is a member of and becomes at login; null leaves that as it is. */
  readonly groupRole: string | null;
  /** Its new verifier; null leaves its password as it is. */
  readonly verifier: string | null;
}

/** What a database is to be. */
export interface AccessRepair {
  readonly databaseName: string;
  readonly ownerRole: string;
  /** False takes the owner's right to create schemas and temporary tables. */
  readonly mayCreate: boolean;
  /** Parameters of the whole database that nobody should have set. */
  readonly parameters: readonly string[];
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
  /** Bytes every database takes on disk, by its name. */
  measureAll(clusterId: string): Promise<Record<string, number>>;
  /** Leaves a database's logins only reading and deleting; ends their sessions. */
  holdWrites(clusterId: string, names: DatabaseNames): Promise<void>;
  /** Lets them do again what they did before. */
  releaseWrites(clusterId: string, names: DatabaseNames): Promise<void>;
  /** Gives the disk back what was deleted from tables; a busy table waits for another time. */
  compact(clusterId: string, names: DatabaseNames): Promise<void>;
  /** Bytes of temporary files one backend of a database may have at a time. */
  limitTemporary(clusterId: string, name: string, bytes: number): Promise<void>;
  /** Gives a database all its settings; no client is dropped. */
  configureDatabase(clusterId: string, name: string, settings: DatabaseSettings): Promise<void>;
  /** Takes the settings of a database that is gone away, and ends its clients. */
  forgetDatabase(clusterId: string, name: string): Promise<void>;
  /** Ends a database's connections and refuses new ones until it is started. */
  stopDatabase(clusterId: string, name: string): Promise<void>;
  /** Lets clients in again; also wakes. */
  startDatabase(clusterId: string, name: string): Promise<void>;
  /** What the host keeps of databases: those that were configured, stopped or suspended. */
  hostDatabases(clusterId: string): Promise<HostDatabase[]>;
  /** At most a thousand suspensions and wakes after `afterSeq`, the oldest first. */
  transitions(clusterId: string, afterSeq: number): Promise<HostTransition[]>;
  /** The last lines about one database, and the cursor to follow from. */
  logs(
    clusterId: string,
    name: string,
    request: LogRequest,
  ): Promise<{ readonly lines: DatabaseLogLine[]; readonly cursor: string }>;
  /** Points of the last `windowSeconds`, the oldest first. */
  metrics(clusterId: string, name: string, windowSeconds: number): Promise<DatabaseMetricPoint[]>;
  /** The backends of one database. */
  sessions(clusterId: string, name: string): Promise<DatabaseSession[]>;
  /** Cancels a backend's statement, or ends it; false when the database has no such backend. */
  signalSession(
    clusterId: string,
    name: string,
    pid: number,
    signal: "cancel" | "terminate",
  ): Promise<boolean>;
  /** Postgres' own number of a database, which a rename does not change; null without one. */
  oidOf(clusterId: string, name: string): Promise<number | null>;
  /** Makes an empty database that belongs to the roles of another one. */
  createTwin(clusterId: string, name: string, ownerRole: string): Promise<void>;
  /** Drops a database and none of its roles. */
  dropTwin(clusterId: string, name: string): Promise<void>;
  /** Puts a twin in the place of a live database; its clients wait meanwhile. */
  swapDatabases(clusterId: string, swap: DatabaseSwap): Promise<void>;
  /** Begins a base backup; with an id that is known, nothing. */
  startBaseBackup(clusterId: string, backupId: string, type: "full" | "incr"): Promise<void>;
  /** What became of it; null for an id that was never asked for. */
  baseBackup(
    clusterId: string,
    backupId: string,
  ): Promise<{
    readonly state: "running" | "succeeded" | "failed";
    readonly error: string | null;
  } | null>;
  /** The base backups there are, the oldest first. */
  baseBackups(clusterId: string): Promise<ClusterBackup[]>;
  /** Takes away what no window needs; false while a recovery reads. */
  expireBackups(clusterId: string): Promise<boolean>;
  archiveStatus(clusterId: string): Promise<ArchiveStatus>;
  /**
   * Spans in which every moment can be recovered, oldest first; the last ends about now, or after
   * the moment that is asked about.
   */
  recoveryWindow(
    clusterId: string,
    about?: Date,
  ): Promise<{ readonly from: string; readonly to: string }[]>;
  /** Marks a point in the WAL by name. */
  restorePoint(
    clusterId: string,
    name: string,
  ): Promise<{ readonly lsn: string; readonly at: string }>;
  /** Begins to recover a database beside the live ones; with an id that is known, nothing. */
  startRecovery(clusterId: string, recoveryId: string, request: RecoveryRequest): Promise<void>;
  /** What it has come to; null when it is not, or no longer, known. */
  recovery(clusterId: string, recoveryId: string): Promise<ClusterRecovery | null>;
  /** Begins to load what was recovered into an empty database. */
  loadRecovery(clusterId: string, recoveryId: string, into: LoadTarget): Promise<void>;
  /** Opens what was recovered for reading; its clients' connections end with the recovery. */
  openPreview(clusterId: string, recoveryId: string, preview: PreviewSpec): Promise<void>;
  /** Ends a recovery and removes all of it. */
  endRecovery(clusterId: string, recoveryId: string): Promise<void>;
  /** Begins to restore databases and to look at what came back; with a known id, nothing. */
  startVerification(
    clusterId: string,
    verificationId: string,
    databases: readonly VerificationTarget[],
  ): Promise<void>;
  /** What it has come to; null when it is not, or no longer, known. */
  verification(clusterId: string, verificationId: string): Promise<ClusterVerification | null>;
  /** Ends a verification and removes all of it. */
  endVerification(clusterId: string, verificationId: string): Promise<void>;
  /** Begins to dump a database as one of its logins; with an id that is known, nothing. */
  startDump(clusterId: string, dumpId: string, from: LoadTarget): Promise<void>;
  /** What it has come to; null when it is not, or no longer, known. */
  dump(clusterId: string, dumpId: string): Promise<ClusterDump | null>;
  /** Ends a dump and removes all of it. */
  removeDump(clusterId: string, dumpId: string): Promise<void>;
  /** The dumps a host keeps. */
  dumps(clusterId: string): Promise<StoredDump[]>;
  /** Every tenant's databases and roles. */
  inventory(clusterId: string): Promise<ClusterInventory>;
  /** Makes a login role what it is to be, and with it what is missing. */
  repairLogin(clusterId: string, wanted: LoginRepair): Promise<void>;
  /** Opens a database for its owner, and for nobody else. */
  repairAccess(clusterId: string, wanted: AccessRepair): Promise<void>;
  /** Gives what a login role owns to the owner role. */
  adoptObjects(clusterId: string, names: DatabaseNames): Promise<void>;
  /** Puts a database or a role that belongs to nobody aside, with the day in front of its name. */
  trashOrphan(clusterId: string, kind: TrashItem["kind"], name: string, day: string): Promise<void>;
  /** What was put aside. */
  trashItems(clusterId: string): Promise<TrashItem[]>;
  /** Gives what was put aside its former name, and opens it again. */
  restoreTrash(clusterId: string, item: TrashItem): Promise<void>;
  /** Drops what was put aside. */
  dropTrash(clusterId: string, item: TrashItem): Promise<void>;
  /** Tells a host the state of D1; what it knew before. Only after what is expected, or adopted. */
  mark(
    clusterId: string,
    mark: ClusterMark,
    expected: readonly string[],
    adopt: boolean,
  ): Promise<{ readonly known: ClusterMark | null }>;
  /** What happened to the servers after an incident, and the number of the last one. */
  incidents(
    clusterId: string,
    afterSeq: number,
  ): Promise<{ readonly incidents: HostIncident[]; readonly last_seq: number }>;
  /** What a registered cluster is now. */
  facts(clusterId: string): Promise<ClusterFacts>;
  /** Proves a cluster nobody has registered yet; throws naming the field that is wrong. */
  prove(clusterId: string, place: ClusterPlace): Promise<ClusterFacts>;
  /**
   * Runs `SELECT 1` with the very URL, from the cluster's side; throws when it does not answer. By
   * the pooler's socket, where no rule about addresses holds, only the place differs.
   */
  probe(clusterId: string, url: string, by?: "address" | "socket"): Promise<void>;
  /** Throws, naming what is not ready, unless Postgres, both poolers and the host answer. */
  checkReady(clusterId: string): Promise<void>;
}
