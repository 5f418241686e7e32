import { isIPv4 } from "node:net";
import { join } from "node:path";
import { reservedDatabases } from "../src/contract/database.ts";
import { defaultPools, type PoolLimits } from "../src/contract/pool.ts";
import type { HostConfig } from "./config.ts";
import { isLoopback, layout, postgresPort } from "./config.ts";
import { networkOf } from "./network.ts";
import { planOf } from "./plan.ts";
import { controlUser, poolerDatabase, poolerUser, type Secrets } from "./secret.ts";

export type PoolMode = "transaction" | "session";

/** Files of one pooler. */
export function poolerFiles(config: HostConfig, mode: PoolMode) {
  const { pooler, run, log } = layout(config.directory);
  return {
    ini: join(pooler, `${mode}.ini`),
    databases: join(pooler, `${mode}-databases.ini`),
    hba: join(pooler, "hba.conf"),
    users: join(pooler, "users.txt"),
    socketDirectory: join(run, mode),
    pid: join(run, `${mode}.pid`),
    log: join(log, `pgbouncer-${mode}.log`),
    output: join(log, `pgbouncer-${mode}.out`),
  };
}

/** The TCP port of a pooler. */
export function poolerPort(config: HostConfig, mode: PoolMode): number {
  return mode === "transaction" ? config.listen.transaction_port : config.listen.session_port;
}

/**
 * A line of the [databases] section. `*` stands for every database that has no line. Server
 * connections are capped per database too, as a pool is per database and role.
 */
export function renderLine(config: HostConfig, database: string, limits: PoolLimits): string {
  const { run } = layout(config.directory);
  const { pool_size, client_connections_max } = limits;
  return [
    `${database} = host='${run}' port=${postgresPort} pool_size=${pool_size}`,
    `max_db_connections=${pool_size} max_db_client_connections=${client_connections_max}`,
  ].join(" ");
}

/**
 * Rules apply from the top. A role of the platform never comes in but to the console, over its
 * Unix socket; a database of the platform is never reached, not even with a wrong password.
 * `addresses` are those that alone may reach a database over TCP. Over the Unix socket comes this
 * program alone: the platform's own probe, and clients of HTTP and WebSocket, whose addresses it
 * has looked at itself.
 */
export function renderHba(addresses: ReadonlyMap<string, readonly string[]>): string {
  const restricted = [...addresses].flatMap(([database, allowed]) => [
    ...allowed.map((address) => `host ${database} all ${networkOf(address)} scram-sha-256`),
    `host ${database} all all reject`,
  ]);
  return [
    `local pgbouncer ${controlUser} scram-sha-256`,
    `local all ${controlUser},${poolerUser} reject`,
    `local ${reservedDatabases.join(",")} all reject`,
    "local all all scram-sha-256",
    `host all ${controlUser},${poolerUser} all reject`,
    `host ${reservedDatabases.join(",")} all all reject`,
    ...restricted,
    "host all all all scram-sha-256",
    "",
  ].join("\n");
}

/** The only roles PgBouncer knows by itself: itself, and who may use its console. */
export function renderUsers(secrets: Secrets, controlVerifier: string): string {
  return `"${poolerUser}" "${secrets.pooler_password}"\n"${controlUser}" "${controlVerifier}"\n`;
}

/** The settings file of one pooler. */
export function renderPoolerConfig(config: HostConfig, mode: PoolMode): string {
  const files = poolerFiles(config, mode);
  const { tls } = layout(config.directory);
  const settings: Record<string, string | number> = {
    listen_addr: config.listen.address,
    listen_port: poolerPort(config, mode),
    unix_socket_dir: files.socketDirectory,
    unix_socket_mode: "0700",
    pidfile: files.pid,
    logfile: files.log,
    log_connections: 0,
    log_disconnections: 0,
    pool_mode: mode,
    max_client_conn: planOf(config).clientsMax,
    // Protocol-level prepared statements work in transaction mode too; session mode needs no help.
    max_prepared_statements: mode === "transaction" ? 200 : 0,
    auth_type: "hba",
    auth_hba_file: files.hba,
    auth_file: files.users,
    auth_user: poolerUser,
    auth_dbname: poolerDatabase,
    auth_query: "SELECT usename, passwd FROM pgbouncer.get_auth($1)",
    admin_users: controlUser,
    // Default 15 s: that long a client would wait after its database opened again. Whatever it is,
    // of a database whose logins failed last the next client is refused while they are tried again.
    server_login_retry: 0.2,
    server_idle_timeout: 30,
    server_connect_timeout: 5,
    query_wait_timeout: 120,
    // Its snapshot keeps what all share from being tidied. A parallel dump's leader is idle, too.
    idle_transaction_timeout: 14_400,
    // JDBC drivers send it always; the value makes no difference since Postgres 12.
    ignore_startup_parameters: "extra_float_digits",
    client_tls_sslmode: isLoopback(config) ? "allow" : "require",
    client_tls_cert_file: join(tls, "server.crt"),
    client_tls_key_file: join(tls, "server.key"),
    // Nobody's certificate is asked for, but PgBouncer ends when it can load no CA at all.
    client_tls_ca_file: join(tls, "server.crt"),
  };
  return [
    "; Written by the host program at every start.",
    "[databases]",
    renderLine(config, poolerDatabase, { pool_size: 4, client_connections_max: 1 }),
    `%include ${files.databases}`,
    renderLine(config, "*", defaultPools[mode]),
    "[pgbouncer]",
    ...Object.entries(settings).map(([name, value]) => `${name} = ${value}`),
    "",
  ].join("\n");
}

/** True when a change cannot be had with RELOAD: where the pooler listens. */
export function needsRestart(before: string, after: string): boolean {
  const where = (text: string) => text.match(/^(listen_\w+|unix_socket_dir) = .*$/gm)?.join("\n");
  return where(before) !== where(after);
}

/** The address this machine reaches the poolers at. */
export function localAddress({ listen }: HostConfig): string {
  if (listen.address === "0.0.0.0") return "127.0.0.1";
  return !isIPv4(listen.address) && /^[0:]+$/.test(listen.address) ? "::1" : listen.address;
}
