// What an instance may take of its host, and the settings of Postgres that follow from it, each
// with its reason. An idle instance shall cost next to nothing: three hundred of them share a
// machine, and each wake-up or process of one is paid three hundred times.

const megabyte = 1024 ** 2;

/** Bytes of a segment of WAL. */
export const segmentBytes = 4 * megabyte;

/** What an instance may take. */
export interface InstanceSize {
  /** Memory of all its processes together. */
  readonly memoryBytes: number;
  readonly processors: number;
  /** Backends its poolers may open, of both pool modes together. */
  readonly backendsMax: number;
  /** What its queries may write to temporary files, each process. */
  readonly temporaryBytesMax: number;
}

/** Kept for the host program: its own session, a backup, a dump and two checks at once. */
const platformConnections = 6;
/** Streams of WAL, base backups over the protocol, and one to spare. */
const walSenders = 3;
/** A database has one user: its instance, its previews, and those that are being recovered. */
const instancesOfUser = 8;
/** The postmaster's own processes, autovacuum's, and programs the host runs beside. */
const serviceProcesses = 24;

const sharedBuffersShare = 8;
const sharedBuffersMegabytesMin = 16;
const sharedBuffersMegabytesMax = 1024;

const whole = (bytes: number) => `${Math.max(1, Math.floor(bytes / megabyte))}MB`;

/** Pages kept by Postgres itself. What is not touched costs nothing, and the kernel keeps more. */
function sharedBuffers(memoryBytes: number): number {
  const share = memoryBytes / sharedBuffersShare;
  const [least, most] = [sharedBuffersMegabytesMin, sharedBuffersMegabytesMax];
  return Math.min(most * megabyte, Math.max(least * megabyte, share));
}

/** Bytes of data each process may have: the one that outgrows it gets an error, and lives on. */
export function dataBytesMax({ memoryBytes }: InstanceSize): number {
  // A few of them at once stay within the memory of all; half of it is for the one that needs it.
  return Math.floor(memoryBytes / 2);
}

/** Processes of one instance at most. */
export function processesOfOne({ backendsMax }: InstanceSize): number {
  return backendsMax + platformConnections + walSenders + serviceProcesses;
}

/** Processes of one user at most: those of an instance, and of copies of it that run beside. */
export function processesMax(size: InstanceSize): number {
  return instancesOfUser * processesOfOne(size);
}

/** Whether a running Postgres of one size takes on another one without being started anew. */
export function isTakenAtOnce(one: InstanceSize, other: InstanceSize): boolean {
  // Shared memory, connections and limits of the kernel are taken when it starts.
  return one.memoryBytes === other.memoryBytes && one.backendsMax === other.backendsMax;
}

/** Settings of Postgres by name, as postgresql.conf wants them. */
function settingsOf(size: InstanceSize): Record<string, string | number> {
  const { memoryBytes, backendsMax, temporaryBytesMax } = size;
  const buffers = sharedBuffers(memoryBytes);
  const connections = backendsMax + platformConnections;
  return {
    max_connections: connections,
    // A tenant that has taken all of its own never keeps the host program out.
    reserved_connections: 3,
    superuser_reserved_connections: 3,
    shared_buffers: `'${whole(buffers)}'`,
    // Every backend may sort and hash at once, some of them twice, and stays within the memory.
    work_mem: `'${whole((memoryBytes - buffers) / (4 * backendsMax))}'`,
    maintenance_work_mem: `'${whole(memoryBytes / 8)}'`,
    autovacuum_work_mem: `'${whole(memoryBytes / 16)}'`,
    effective_cache_size: `'${whole(memoryBytes * 0.75)}'`,
    temp_file_limit: `'${whole(temporaryBytesMax)}'`,
    // Huge pages would be taken whole by an instance that is idle.
    huge_pages: "off",
    // Compiling costs each backend memory and short queries time.
    jit: "off",
    // Backends beside a query's own would be a tenant's whole pool.
    max_worker_processes: 0,
    max_parallel_workers: 0,
    max_logical_replication_workers: 0,
    // The background writer and the WAL writer wake up often for little: a backend that commits
    // writes its WAL itself, and a checkpoint writes the pages.
    bgwriter_lru_maxpages: 0,
    bgwriter_delay: "'10s'",
    wal_writer_delay: "'10s'",
    // Each pass is a process or two. The host shortens it for those that write.
    autovacuum_naptime: "'10min'",
    autovacuum_max_workers: 1,
    wal_level: "'replica'",
    max_wal_senders: walSenders,
    max_replication_slots: walSenders,
    // Whole pages are most of WAL; compressing them costs less than archiving them.
    wal_compression: "'lz4'",
    // WAL counts as the tenant's storage.
    max_wal_size: "'128MB'",
    min_wal_size: "'8MB'",
    checkpoint_timeout: "'15min'",
    // After a crash: not file by file, of which there are a thousand.
    recovery_init_sync_method: "'syncfs'",
  };
}

// Statements, parameters and thus passwords are never logged, nor DETAIL, which quotes rows.
const quiet = {
  lc_messages: "'C'",
  // What it says goes to the file the host program opened for it, where nobody can exchange it.
  logging_collector: "off",
  log_destination: "'stderr'",
  log_statement: "'none'",
  log_min_duration_statement: -1,
  log_min_error_statement: "'panic'",
  log_error_verbosity: "'terse'",
  log_parameter_max_length: 0,
  log_parameter_max_length_on_error: 0,
  timezone: "'UTC'",
  log_timezone: "'UTC'",
};

/** What the place of an instance says, whatever its size. */
export interface InstanceSettings {
  readonly socketDirectory: string;
  readonly socketPort: number;
  readonly hbaFile: string;
  readonly logLinePrefix: string;
  /** Where WAL goes, and after how long an unfinished segment does. */
  readonly archive: { readonly command: string; readonly timeoutSeconds: number } | null;
}

const quote = (value: string) => `'${value.replaceAll("'", "''")}'`;

/** The whole of postgresql.conf. */
export function renderSettings(size: InstanceSize, where: InstanceSettings): string {
  const { archive } = where;
  const archiving = {
    archive_mode: archive === null ? "off" : "on",
    ...(archive === null
      ? {}
      : {
          archive_command: quote(archive.command),
          archive_timeout: `'${archive.timeoutSeconds}s'`,
        }),
  };
  const all = {
    listen_addresses: "''",
    port: where.socketPort,
    unix_socket_directories: quote(where.socketDirectory),
    hba_file: quote(where.hbaFile),
    password_encryption: "'scram-sha-256'",
    // Who became superuser in the box changes nothing that outlives a restart.
    allow_alter_system: "off",
    shared_preload_libraries: "'pg_stat_statements'",
    "pg_stat_statements.track_utility": "off",
    "pg_stat_statements.max": 1000,
    dynamic_shared_memory_type: "'posix'",
    log_line_prefix: quote(where.logLinePrefix),
    ...settingsOf(size),
    ...quiet,
    ...archiving,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name} = ${value}`);
  return `# Written by the host program at every start.\n${lines.join("\n")}\n`;
}

/** Who may log in how: over the one socket, with a password. */
export const accessFile = "local all all scram-sha-256\n";
