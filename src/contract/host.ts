// What the control plane and a host say to each other. Both import this file; it imports zod alone.
import { z } from "zod";

/**
 * Version of what is said here. It counts up when one side says something the other has to know. A
 * control plane and a host that are one version apart work together; more is refused in words.
 */
export const protocolVersion = 2;

/** The header in which each says its version with every request and answer. */
export const protocolHeader = "x-miosa-protocol";

/** True for a version this one works together with. */
export function isSpoken(version: number): boolean {
  return Math.abs(version - protocolVersion) <= 1;
}

/** Databases the host keeps for itself; no command and no tenant may name them. */
export const reservedDatabases = [
  "postgres",
  "template0",
  "template1",
  "pgbouncer",
  "pgb_auth",
  "miosa_template",
] as const;

/** The name of a tenant's database. It is written into pooler files, hence the narrow alphabet. */
export const DatabaseName = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,62}$/, "1-63 of a-z, 0-9 and _, starting with a letter")
  .refine((name) => !reservedDatabases.some((reserved) => reserved === name), "is reserved");

/** What one database may use of one pooler. */
export const PoolLimits = z.strictObject({
  /** Server connections (backends) of the database in this pooler. */
  pool_size: z.int().min(1).max(500),
  /** Client connections accepted; one more is refused with words. */
  client_connections_max: z.int().min(1).max(20_000),
});
export type PoolLimits = z.infer<typeof PoolLimits>;

/** A network, such as `203.0.113.0/24` or `2001:db8::/32`. */
export const Cidr = z.union([z.cidrv4(), z.cidrv6()]);

/** Memory of a backend that has no number of its own: that of the size `small`. */
export const backendBytesMin = 64 * 1024 * 1024;

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

const Nothing = z.strictObject({});

/** Facts of a host and its cluster. */
export const StatusReport = z.object({
  /** `17.6`, `1.26.1`, `2.55.1`: as the programs say. */
  postgres_version: z.string(),
  pgbouncer_version: z.string(),
  pgbackrest_version: z.string(),
  /** When Postgres started, ISO 8601. */
  started_at: z.iso.datetime(),
  /** Server connections Postgres accepts in all. */
  max_connections: z.int(),
  disk_free_bytes: z.int(),
  disk_total_bytes: z.int().optional(),
  protocol: z.int().optional(),
  /** Names this Postgres among all; another one under the same id is another cluster. */
  system_identifier: z.string().optional(),
  memory_total_bytes: z.int(),
  /** How many databases the operator wants here at most. */
  databases_max: z.int(),
  /** How many backends tenants may have at once, as the host has planned. */
  backends_max: z.int(),
  /** Where clients reach its poolers. */
  listen: z
    .object({ public_host: z.string(), transaction_port: z.int(), session_port: z.int() })
    .optional(),
});

/** Something that happened to a host's servers and that nobody asked for. */
export const Incident = z.object({
  /** Increases by one from incident to incident of a host. */
  seq: z.int().min(1),
  program: z.enum(["postgres", "transaction", "session", "host"]),
  what: z.enum(["crashed", "out_of_memory", "halted", "hung", "left"]),
  /** What was seen and done, in words. */
  detail: z.string(),
  at: z.iso.datetime(),
});
export type Incident = z.infer<typeof Incident>;

/** The state of D1 a host last heard of. */
export const Mark = z.strictObject({
  /** Made anew with each D1 that begins empty. */
  epoch: z.uuid(),
  /** Made anew with each mark: a D1 that does not know it was brought back from before it. */
  state: z.uuid(),
  /** When it was made. */
  at: z.iso.datetime(),
});
export type Mark = z.infer<typeof Mark>;

const OneDatabase = z.strictObject({ database: DatabaseName });

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

/** A change the host made by itself. */
export const Transition = z.object({
  /** Increases by one from transition to transition of a cluster. */
  seq: z.int().min(1),
  database: DatabaseName,
  to: z.enum(["suspended", "woken"]),
  /** The moment no backend was left, or clients were let through; ISO 8601, milliseconds. */
  at: z.iso.datetime(),
});
export type Transition = z.infer<typeof Transition>;

/** One line of a server's log about one database; never a statement that sets a password. */
export const LogLine = z.object({
  /** ISO 8601 with milliseconds. */
  at: z.iso.datetime(),
  source: z.enum(["postgres", "transaction-pooler", "session-pooler"]),
  level: z.enum(["debug", "info", "warning", "error", "fatal"]),
  /** One line, no control character, at most 2,000 characters. */
  message: z.string().max(2000),
  /** Of Postgres' errors alone. */
  sqlstate: z.string().length(5).nullable(),
});
export type LogLine = z.infer<typeof LogLine>;

/** What one database did in one span of time; counts are of the span, the rest is at its end. */
export const MetricPoint = z.object({
  /** The end of the span, ISO 8601. */
  at: z.iso.datetime(),
  /** Seconds the span lasts. */
  seconds: z.int().min(1),
  transactions: z.int().min(0),
  rollbacks: z.int().min(0),
  /** Errors of level error and above that the servers logged. */
  errors: z.int().min(0),
  /** Statements that took longer than the threshold of slow ones. */
  slow_statements: z.int().min(0),
  blocks_hit: z.int().min(0),
  blocks_read: z.int().min(0),
  deadlocks: z.int().min(0),
  temporary_bytes: z.int().min(0),
  size_bytes: z.int().min(0),
  /** Clients of both poolers, those that wait among them, and backends. */
  client_connections: z.int().min(0),
  waiting_clients: z.int().min(0),
  server_connections: z.int().min(0),
});
export type MetricPoint = z.infer<typeof MetricPoint>;

/** A base backup in one of a cluster's repositories. */
const BaseBackup = z.object({
  /** pgBackRest's name for it. */
  label: z.string(),
  /** 1 is beside the cluster, 2 the second one. */
  repository: z.int().min(1).max(2),
  type: z.enum(["full", "diff", "incr"]),
  started_at: z.iso.datetime(),
  stopped_at: z.iso.datetime(),
  database_bytes: z.int().min(0),
  repository_bytes: z.int().min(0),
});

/** A dump of one database that is kept. */
export const StoredDump = z.object({
  dump_id: z.uuid(),
  /** Of the archive itself, in pg_dump's custom format. */
  size_bytes: z.int().min(0),
  /** Of the same, in hexadecimal. */
  sha256: z.string().length(64),
  stored_at: z.iso.datetime(),
  /** As the program says: `pg_dump (PostgreSQL) 17.6`; `received` for what somebody sent. */
  made_with: z.string(),
});
export type StoredDump = z.infer<typeof StoredDump>;

/** What a dump has come to. */
const DumpReport = z.object({
  state: z.enum(["waiting", "running", "succeeded", "failed"]),
  /** How many are to begin before it, and it; 0 once it has begun. */
  position: z.int().min(0),
  bytes_done: z.int().min(0),
  error: z.string().nullable(),
  /** Once it succeeded. */
  stored: StoredDump.nullable(),
});
export type DumpReport = z.infer<typeof DumpReport>;

const OneDump = z.strictObject({ dump_id: z.uuid() });

/** A database, and the login that acts as the owner of what is in it. */
const TenantLogin = z.strictObject({
  database: DatabaseName,
  user: z.string().regex(/^[a-z][a-z0-9_]{0,62}$/),
  password: z.string().min(16).max(200),
});

/** Which database to recover, and up to where: the last commit not after it is the last there. */
const MomentRequest = z.strictObject({
  /** Its oid in Postgres, which a name does not replace: names move. */
  database_oid: z
    .int()
    .min(16_384)
    .max(2 ** 32 - 1),
  target: z.union([
    z.strictObject({ time: z.iso.datetime() }),
    /** A restore point, and about when it was made. */
    z.strictObject({ name: z.string().regex(/^[\w-]{1,63}$/), at: z.iso.datetime() }),
    /** The end of this base backup. */
    z.strictObject({ backup: z.string().regex(/^[\w-]{1,40}$/) }),
  ]),
});
export type MomentRequest = z.infer<typeof MomentRequest>;

/** The same, or which dump to take instead. */
export const RecoveryRequest = z.union([MomentRequest, OneDump]);
export type RecoveryRequest = z.infer<typeof RecoveryRequest>;

/** How a recovered database is opened for reading, as it is, through both poolers. */
export const PreviewRequest = z.strictObject({
  /** What clients call it; the poolers know it by this name alone. */
  name: DatabaseName,
  /** The one login that is let in; no role of Postgres has its name. */
  login: z.string().regex(/^pre_[a-z2-7]{20}$/),
  /** Its SCRAM-SHA-256 verifier. */
  verifier: z.string().regex(/^SCRAM-SHA-256\$[\w+/=:$]{20,300}$/),
  /** It is removed that long after it was first opened, with or without being asked to. */
  keep_seconds: z.int().min(1).max(86_400),
  settings: DatabaseSettings.omit({ suspend_after_seconds: true }),
});
export type PreviewRequest = z.infer<typeof PreviewRequest>;

/** What a recovery could not use, though it would have been the better way. */
const PassedOver = z.object({
  repository: z.union([z.literal(1), z.literal(2)]),
  /** The base backup it began with; null when not even a list of them could be read. */
  backup_label: z.string().nullable(),
  /** Which file, or what else was wrong with it. */
  problem: z.string(),
  /** A file of it is damaged or missing, which others who need it will meet as well. */
  is_damage: z.boolean(),
});

/** What a recovery has come to. */
export const RecoveryReport = z.object({
  recovery_id: z.string(),
  /** `ready`: its scratch cluster is paused at the target and takes reads. */
  state: z.enum(["waiting", "running", "ready", "failed"]),
  /** How many are to begin before it, and it; 0 once it has begun. */
  position: z.int().min(0),
  /** The step it is in, or was in when it failed. */
  step: z.string(),
  /** Milliseconds each finished step took. */
  step_milliseconds: z.record(z.string(), z.int()),
  /** What is fetched from the backup. */
  bytes_total: z.int().min(0),
  /** What of it is there. */
  bytes_restored: z.int().min(0),
  backup_label: z.string().nullable(),
  /** `filtered`: this one database's files alone; `stock`: as pgBackRest does it. */
  method: z.enum(["filtered", "stock"]).nullable(),
  /** What it reads from; 1 is beside the cluster, 2 the second one. */
  repository: z.union([z.literal(1), z.literal(2)]).nullable(),
  /** Where replay begins, and how far it is. */
  start_lsn: z.string().nullable(),
  replayed_lsn: z.string().nullable(),
  /** When the last commit was made that is there; microseconds. */
  reached_at: z.string().nullable(),
  /** The line of Postgres' log that says where recovery stopped. */
  evidence: z.string().nullable(),
  /** What was tried in vain before, in that order. */
  passed_over: z.array(PassedOver).default([]),
  /** The database's name at the target. */
  database: z.string().nullable(),
  error: z.string().nullable(),
  load: z
    .object({
      /** The database it is loaded into. */
      database: z.string(),
      state: z.enum(["running", "succeeded", "failed"]),
      error: z.string().nullable(),
    })
    .nullable(),
});

const OneRecovery = z.strictObject({ recovery_id: z.uuid() });

/** What is looked at when a backup is verified; in this order. */
const checkNames = ["restore", "content", "indexes", "checksums", "repository"] as const;

/** One look at what was restored; `skipped` when it could not be taken, and `detail` says why. */
const VerificationCheck = z.object({
  name: z.enum(checkNames),
  result: z.enum(["passed", "failed", "skipped"]),
  /** What was compared and what was found; of failures the file or the table. */
  detail: z.string(),
  milliseconds: z.int().min(0),
});
export type VerificationCheck = z.infer<typeof VerificationCheck>;

/** One database that was recovered to be looked at. */
const VerifiedDatabase = z.object({
  database_id: z.uuid(),
  /** Up to where it was recovered. */
  restore_point: z.object({ name: z.string(), lsn: z.string(), at: z.iso.datetime() }),
  /** When the last commit was made that is there; microseconds. */
  reached_at: z.string().nullable(),
  /** The line of Postgres' log that says where recovery stopped. */
  evidence: z.string().nullable(),
  backup_label: z.string().nullable(),
  method: z.enum(["filtered", "stock"]).nullable(),
  repository: z.union([z.literal(1), z.literal(2)]).nullable(),
  /** What was in it at the restore point; null when nobody could look. */
  manifest: z
    .object({
      /** Tables and rows that were compared, and tables that were not. */
      tables: z.int().min(0),
      rows: z.int().min(0),
      tables_left_out: z.int().min(0),
      /** Of the lines `<table> <rows> <hash>`, in hexadecimal. */
      sha256: z.string().length(64),
    })
    .nullable(),
  /** One of each name. */
  checks: z.array(VerificationCheck),
  started_at: z.iso.datetime(),
  finished_at: z.iso.datetime(),
});
export type VerifiedDatabase = z.infer<typeof VerifiedDatabase>;

/** What a verification has come to. */
const VerificationReport = z.object({
  /** `succeeded` is that all was looked at, whatever was found. */
  state: z.enum(["running", "succeeded", "failed"]),
  /** How many databases were recovered by now. */
  done: z.int().min(0),
  /** Why it failed. */
  error: z.string().nullable(),
  /** Once it succeeded, as the programs say. */
  versions: z.object({ postgres: z.string(), pgbackrest: z.string(), host: z.string() }).nullable(),
  /** Once it succeeded. */
  databases: z.array(VerifiedDatabase),
});
export type VerificationReport = z.infer<typeof VerificationReport>;

const OneVerification = z.strictObject({ verification_id: z.uuid() });

/** Databases of one verification; each is recovered by itself. */
export const verifiedMax = 50;

/** A database to verify; without a login, as of one that is stopped, its rows are not compared. */
const VerificationTarget = z.strictObject({
  /** The control plane's own, to be answered with. */
  database_id: z.uuid(),
  database_oid: MomentRequest.shape.database_oid,
  login: TenantLogin.nullable(),
});
export type VerificationTarget = z.infer<typeof VerificationTarget>;

/** Every command a host accepts: what it takes, what it reports. All may be sent twice. */
export const hostCommands = {
  status: { input: Nothing, report: StatusReport },
  /** Gives a database all its settings, dropping no client; answers once they are in force. */
  "database.configure": {
    input: z.strictObject({ database: DatabaseName, settings: DatabaseSettings }),
    report: Nothing,
  },
  /** Takes a dropped database's settings and state away and ends its clients' connections. */
  "database.forget": { input: OneDatabase, report: Nothing },
  /**
   * Ends a database's connections and refuses new ones until `database.start`, whatever is
   * restarted meanwhile. 404 `unknown_database` when the cluster has none of that name.
   */
  "database.stop": { input: OneDatabase, report: Nothing },
  /** Lets clients in again; also wakes a suspended database. 404 as above. */
  "database.start": { input: OneDatabase, report: Nothing },
  /** What is kept of databases: those that were configured, stopped or suspended. */
  inventory: {
    input: Nothing,
    report: z.object({
      databases: z.array(
        z.object({
          database: DatabaseName,
          state: z.enum(["running", "suspended", "stopped"]),
          settings: DatabaseSettings,
        }),
      ),
    }),
  },
  /**
   * Suspensions and wakes since `after_seq`, the oldest first. Only the last ten thousand are
   * kept: when the first `seq` is not the next one, those between are lost.
   */
  /** What happened to the servers after an incident, the oldest first. */
  incidents: {
    input: z.strictObject({ after_seq: z.int().min(0), limit: z.int().min(1).max(1000) }),
    report: z.object({ incidents: z.array(Incident), last_seq: z.int().min(0) }),
  },
  /**
   * Tells the host the state of D1, and is told the one it knew. The host takes the new one over
   * when the one it knew is among the `expected`, or when `adopt` says so.
   */
  mark: {
    input: z.strictObject({ mark: Mark, expected: z.array(z.uuid()).max(2), adopt: z.boolean() }),
    report: z.object({ known: Mark.nullable() }),
  },
  report: {
    input: z.strictObject({
      after_seq: z.int().min(0),
      limit: z.int().min(1).max(1000),
    }),
    report: z.object({ transitions: z.array(Transition), last_seq: z.int().min(0) }),
  },
  /**
   * The last `lines` lines about one database, the oldest first; `after` a cursor or `since` a
   * moment when given. Without a line the cursor is where the next one will be.
   */
  "database.logs": {
    input: z.strictObject({
      database: DatabaseName,
      lines: z.int().min(1).max(1000),
      since: z.iso.datetime().optional(),
      after: z.string().max(400).optional(),
    }),
    report: z.object({ lines: z.array(LogLine), cursor: z.string() }),
  },
  /** Points of the last `window_seconds`, the oldest first; at most some 300 of them. */
  "database.metrics": {
    input: z.strictObject({
      database: DatabaseName,
      window_seconds: z.int().min(60).max(604_800),
    }),
    report: z.object({ points: z.array(MetricPoint) }),
  },
  /**
   * Puts the database `twin` in the place of `live`, which is `aside` from then on. Clients of the
   * transaction port wait meanwhile; those of the session port are ended and let in again.
   */
  "database.swap": {
    input: z.strictObject({ live: DatabaseName, twin: DatabaseName, aside: DatabaseName }),
    report: Nothing,
  },
  /** Begins a base backup; with an id that is known, nothing. 409 while another one runs. */
  "base_backup.start": {
    input: z.strictObject({ backup_id: z.uuid(), type: z.enum(["full", "incr"]) }),
    report: Nothing,
  },
  /** What became of it; 404 for an id that was never asked for. */
  "base_backup.status": {
    input: z.strictObject({ backup_id: z.uuid() }),
    report: z.object({
      state: z.enum(["running", "succeeded", "failed"]),
      started_at: z.iso.datetime(),
      ended_at: z.iso.datetime().nullable(),
      error: z.string().nullable(),
    }),
  },
  /** The base backups there are, the oldest first. */
  base_backups: { input: Nothing, report: z.object({ base_backups: z.array(BaseBackup) }) },
  /** Takes away what neither window needs; false while a recovery holds it. */
  "base_backup.expire": { input: Nothing, report: z.object({ is_done: z.boolean() }) },
  /** How archiving goes; an idle cluster archives nothing and is well. */
  archive: {
    input: Nothing,
    report: z.object({
      last_archived_wal: z.string().nullable(),
      last_archived_at: z.iso.datetime().nullable(),
      /** Since when a finished segment waits; null when none does. */
      unarchived_since: z.iso.datetime().nullable(),
      failed_count: z.int().min(0),
      /** Bytes of WAL ever written. */
      wal_bytes: z.number().min(0),
      /** What was written since the last base backup ended; null when that is not known. */
      written_since_backup_bytes: z.number().min(0).nullable().default(null),
      /** How the second repository follows; null where there is none. */
      store: z
        .object({
          /** The segment up to which it has all. */
          copied_wal: z.string().nullable(),
          /** Since when it lacks something, and why; null while it is known to lack nothing. */
          behind_since: z.iso.datetime().nullable(),
          reason: z.string().nullable(),
        })
        .nullable(),
    }),
  },
  /**
   * The spans in which every moment can be recovered, the oldest first, from what is really
   * archived; brings the end of the last one to about now. Who asks about a moment that is in the
   * archive already does not wait for that.
   */
  recovery_window: {
    input: z.strictObject({ about: z.iso.datetime().optional() }),
    report: z.object({
      spans: z.array(z.object({ from: z.iso.datetime(), to: z.iso.datetime() })),
    }),
  },
  /** Marks a point in the WAL by name. */
  "restore_point.create": {
    input: z.strictObject({ name: z.string().regex(/^[\w-]{1,63}$/) }),
    report: z.object({ lsn: z.string(), at: z.iso.datetime() }),
  },
  /** Begins to recover one database into a scratch cluster; with an id that is known, nothing. */
  "recovery.start": {
    input: z.strictObject({ recovery_id: z.uuid(), request: RecoveryRequest }),
    report: Nothing,
  },
  /** What it has come to; 404 `unknown_recovery` also when the host was restarted meanwhile. */
  "recovery.status": { input: OneRecovery, report: RecoveryReport },
  /** Begins to load a ready one into an empty database, logged in as this role. */
  "recovery.load": {
    input: z.strictObject({ recovery_id: z.uuid(), into: TenantLogin }),
    report: Nothing,
  },
  /** Opens a ready one to one login, for reading; answers once both poolers know it. */
  "recovery.open": {
    input: z.strictObject({ recovery_id: z.uuid(), preview: PreviewRequest }),
    report: Nothing,
  },
  /** Ends it and removes its scratch cluster, whatever it does. */
  "recovery.end": { input: OneRecovery, report: Nothing },
  /** Begins to recover databases and to look at what came back; with a known id, nothing. */
  "verification.start": {
    input: z.strictObject({
      verification_id: z.uuid(),
      databases: z.array(VerificationTarget).min(1).max(verifiedMax),
    }),
    report: Nothing,
  },
  /** What it has come to; 404 `unknown_verification` also when the host was restarted meanwhile. */
  "verification.status": { input: OneVerification, report: VerificationReport },
  /** Ends it, whatever it does, and removes all of it. */
  "verification.end": { input: OneVerification, report: Nothing },
  /** Begins to dump a database, logged in as this role; with an id that is known, nothing. */
  "dump.start": {
    input: z.strictObject({ dump_id: z.uuid(), from: TenantLogin }),
    report: Nothing,
  },
  /** What it has come to; 404 `unknown_dump` also when the host was restarted meanwhile. */
  "dump.status": { input: OneDump, report: DumpReport },
  /** Ends it, whatever it does, and removes it. */
  "dump.remove": { input: OneDump, report: Nothing },
  /** The dumps that are kept. */
  dumps: { input: Nothing, report: z.object({ dumps: z.array(StoredDump) }) },
} as const;

type Commands = typeof hostCommands;
export type HostCommandName = keyof Commands;
export type HostCommandInput<N extends HostCommandName> = z.infer<Commands[N]["input"]>;
export type HostCommandReport<N extends HostCommandName> = z.infer<Commands[N]["report"]>;

/** Body of `POST /commands`. The input is checked against the command's own schema afterwards. */
export const HostCommandRequest = z.strictObject({
  command: z.enum(Object.keys(hostCommands) as [HostCommandName, ...HostCommandName[]]),
  input: z.unknown(),
});

/** Body of every answer that is not 200. */
export const HostError = z.object({
  error: z.object({ code: z.string(), message: z.string() }),
});

/** Names `GET /v1?address=` knows; each needs a token. */
export const HostAddress = z.enum([
  "transaction",
  "session",
  "postgres",
  "transaction-console",
  "session-console",
]);
export type HostAddress = z.infer<typeof HostAddress>;

/** A token is a compact JWS (EdDSA, header `kid`) that lives at most this long. */
export const hostTokenSecondsMax = 60;

const tokenBase = {
  /** The cluster's id. */
  aud: z.uuid(),
  iat: z.int(),
  exp: z.int(),
  /** Unique; a second use is refused. */
  jti: z.string().min(16).max(64),
};

/** Claims of a token: one WebSocket to one address, one command with one body, or one dump. */
export const HostTokenClaims = z.discriminatedUnion("scope", [
  z.object({ ...tokenBase, scope: z.literal("sql"), address: HostAddress }),
  z.object({
    ...tokenBase,
    scope: z.literal("command"),
    /** base64url SHA-256 of the exact body. */
    body_sha256: z.string().length(43),
  }),
  /** One `GET /dumps/:id`, or one `PUT` of at most so many bytes. */
  z.object({
    ...tokenBase,
    scope: z.literal("dump"),
    dump_id: z.uuid(),
    method: z.enum(["GET", "PUT"]),
    bytes_max: z.int().min(0),
  }),
]);
export type HostTokenClaims = z.infer<typeof HostTokenClaims>;

/** `control.json`: what a cluster is registered with. */
export const ControlLogin = z.object({
  /** The control plane's superuser, reachable only through the host. */
  user: z.string(),
  password: z.string().min(32),
  backends_max: z.int(),
  /** In PEM: who vouches for its certificate, when clients' systems do not know them. */
  ca_certificates: z.string().optional(),
});
