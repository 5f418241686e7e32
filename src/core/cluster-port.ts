// What verbs may ask of a cluster. `src/cluster/` speaks SQL and signed commands behind it;
// tests put a cluster in memory here that can be told to fail at any call.
import type { ArchiveReport } from "../contract/archive.ts";
import type { BaseBackup, BaseBackupReport } from "../contract/base-backup.ts";
import type { DatabaseSwap, HostDatabase } from "../contract/database.ts";
import type { DumpReport, StoredDump } from "../contract/dump.ts";
import type { Incident } from "../contract/incident.ts";
import type { LogLine, LogRequest } from "../contract/log.ts";
import type { TenantLogin } from "../contract/login.ts";
import type { Mark } from "../contract/mark.ts";
import type { MetricPoint } from "../contract/metric.ts";
import type { PreviewRequest } from "../contract/preview.ts";
import type { RecoveryReport, RecoveryRequest } from "../contract/recovery.ts";
import type { DatabaseSettings } from "../contract/setting.ts";
import type { Transition } from "../contract/transition.ts";
import type { VerificationReport, VerificationTarget } from "../contract/verification.ts";

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
  transitions(clusterId: string, afterSeq: number): Promise<Transition[]>;
  /** The last lines about one database, and the cursor to follow from. */
  logs(
    clusterId: string,
    name: string,
    request: LogRequest,
  ): Promise<{ readonly lines: LogLine[]; readonly cursor: string }>;
  /** Points of the last `windowSeconds`, the oldest first. */
  metrics(clusterId: string, name: string, windowSeconds: number): Promise<MetricPoint[]>;
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
  baseBackup(clusterId: string, backupId: string): Promise<BaseBackupReport | null>;
  /** The base backups there are, the oldest first. */
  baseBackups(clusterId: string): Promise<BaseBackup[]>;
  /** Takes away what no window needs; false while a recovery reads. */
  expireBackups(clusterId: string): Promise<boolean>;
  archiveStatus(clusterId: string): Promise<ArchiveReport>;
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
  recovery(clusterId: string, recoveryId: string): Promise<RecoveryReport | null>;
  /** Begins to load what was recovered into an empty database. */
  loadRecovery(clusterId: string, recoveryId: string, into: TenantLogin): Promise<void>;
  /** Opens what was recovered for reading; its clients' connections end with the recovery. */
  openPreview(clusterId: string, recoveryId: string, preview: PreviewRequest): Promise<void>;
  /** Ends a recovery and removes all of it. */
  endRecovery(clusterId: string, recoveryId: string): Promise<void>;
  /** Begins to restore databases and to look at what came back; with a known id, nothing. */
  startVerification(
    clusterId: string,
    verificationId: string,
    databases: readonly VerificationTarget[],
  ): Promise<void>;
  /** What it has come to; null when it is not, or no longer, known. */
  verification(clusterId: string, verificationId: string): Promise<VerificationReport | null>;
  /** Ends a verification and removes all of it. */
  endVerification(clusterId: string, verificationId: string): Promise<void>;
  /** Begins to dump a database as one of its logins; with an id that is known, nothing. */
  startDump(clusterId: string, dumpId: string, from: TenantLogin): Promise<void>;
  /** What it has come to; null when it is not, or no longer, known. */
  dump(clusterId: string, dumpId: string): Promise<DumpReport | null>;
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
    mark: Mark,
    expected: readonly string[],
    adopt: boolean,
  ): Promise<{ readonly known: Mark | null }>;
  /** What happened to the servers after an incident, and the number of the last one. */
  incidents(
    clusterId: string,
    afterSeq: number,
  ): Promise<{ readonly incidents: Incident[]; readonly last_seq: number }>;
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
