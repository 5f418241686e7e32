import { backrestFiles, stanza } from "./backrest-config.ts";
import { programPath } from "./binary.ts";
import type { HostConfig } from "./config.ts";
import { layout, postgresPort } from "./config.ts";
import { postgresLinePrefix } from "./log-line.ts";
import { planOf } from "./plan.ts";

/** Who may log in how: over the Unix socket, with a password. */
export const hbaFile = "local all all scram-sha-256\n";

function quote(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

// A backend's memory limit, with which Postgres and so its archiver start, is not for pgBackRest.
function archiveCommand(config: HostConfig): string {
  const { config: file } = backrestFiles(config);
  const program = programPath(config, "pgbackrest");
  const push = `${program} --config="${file}" --stanza=${stanza} archive-push "%p"`;
  return `ulimit -S -d unlimited; ${push}`;
}

/**
 * Statements, parameters and thus passwords are never logged: not when slow, not when they fail.
 */
const logSettings = (log: string) => ({
  lc_messages: "'C'",
  logging_collector: "on",
  // Of these forms of a log the others have DETAIL, CONTEXT and the query of a function always.
  log_destination: "'stderr'",
  log_line_prefix: quote(postgresLinePrefix),
  log_directory: quote(log),
  log_filename: "'postgres-%Y-%m-%dT%H%M%S.log'",
  log_file_mode: "0600",
  log_rotation_age: "'1d'",
  log_rotation_size: "'50MB'",
  log_statement: "'none'",
  log_min_duration_statement: -1,
  log_min_error_statement: "'panic'",
  // Not DETAIL either, which quotes tenants' rows and, after a crash, their statements.
  log_error_verbosity: "'terse'",
  log_parameter_max_length: 0,
  log_parameter_max_length_on_error: 0,
});

/** The whole of postgresql.conf. */
export function renderPostgresConfig(config: HostConfig): string {
  const paths = layout(config.directory);
  const settings: Record<string, string | number> = {
    listen_addresses: "''",
    port: postgresPort,
    unix_socket_directories: quote(`"${paths.run}"`),
    unix_socket_permissions: "0700",
    password_encryption: "'scram-sha-256'",
    max_connections: planOf(config).connectionsMax,
    superuser_reserved_connections: 20,
    // For PgBouncer's look-ups: without them a full server would turn away every login.
    reserved_connections: 8,
    // Slow statements are found there; statements without rows, such as ALTER ROLE, are left out.
    shared_preload_libraries: "'pg_stat_statements'",
    "pg_stat_statements.track_utility": "off",
    "pg_stat_statements.max": 5000,
    shared_buffers: "'256MB'",
    // A sort doubles its space at once: four times this is what a backend is born with.
    maintenance_work_mem: "'16MB'",
    dynamic_shared_memory_type: "'posix'",
    max_parallel_workers: 4,
    // Compiling costs each backend memory and short queries time.
    jit: "off",
    wal_level: "'replica'",
    // Pages written whole are most of WAL, and compressing them costs less than archiving them.
    wal_compression: "'lz4'",
    archive_mode: "on",
    archive_command: quote(archiveCommand(config)),
    archive_timeout: `'${config.backup.archive_timeout_seconds}s'`,
    max_wal_size: "'4GB'",
    // What one tenant's bulk load leaves here the next commit of any other has to wait for: with
    // the usual 8 MB twice as long, for a tenth less time of the load.
    wal_buffers: "'256kB'",
    checkpoint_timeout: "'15min'",
    // After a crash: not file by file, of which each database has 300.
    recovery_init_sync_method: "'syncfs'",
    // Visiting hundreds of idle databases every minute costs a tenth of a core.
    autovacuum_naptime: "'3min'",
    timezone: "'UTC'",
    log_timezone: "'UTC'",
  };
  const all = { ...settings, ...logSettings(paths.log) };
  const lines = Object.entries(all).map(([name, value]) => `${name} = ${value}`);
  return `# Written by the host program at every start.\n${lines.join("\n")}\n`;
}
