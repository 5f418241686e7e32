// The files of one PgBouncer: a line for each database it serves, and the users of each with a
// verifier. It asks no database who somebody is, so only who has logged in wakes an instance.

/** What one database may use of one pooler. */
export interface LineLimits {
  /** Server connections of the database. */
  readonly poolSize: number;
  /** Clients of each of its users; who has a wrong name or password takes none of them. */
  readonly clientsMax: number;
}

/** A user of a database: its name is one user's in the whole pooler. */
export interface LineUser {
  readonly name: string;
  /** SCRAM-SHA-256, as Postgres keeps it. */
  readonly verifier: string;
}

/** A database in one pooler. */
export interface Line {
  /** The name clients ask for. */
  readonly database: string;
  /** What it is called where they are led to; a preview has its source's name there. */
  readonly inside: string;
  /** A link to the directory of its socket: of its Postgres, or of the host while it sleeps. */
  readonly link: string;
  readonly limits: LineLimits;
  readonly users: readonly LineUser[];
  /** Networks it may be reached from over TCP, in CIDR; all when empty. */
  readonly allowedNetworks: readonly string[];
  /** Its clients are refused with words, at once. */
  readonly isStopped?: boolean;
}

/** The user of the console, and the only one that uses it. */
export interface ConsoleUser {
  readonly name: string;
  readonly verifier: string;
}

/** Where and how a pooler listens. */
export interface PoolerPlace {
  readonly mode: "transaction" | "session";
  readonly address: string;
  readonly port: number;
  readonly socketDirectory: string;
  readonly databasesFile: string;
  readonly usersFile: string;
  readonly hbaFile: string;
  readonly clientsMax: number;
  readonly tls: {
    readonly certificateFile: string;
    readonly keyFile: string;
    readonly isRequired: boolean;
  };
}

/** Every user once, also one that may come in to its database and to a preview of it. */
function usersOf(lines: readonly Line[]) {
  const users = new Map<string, { readonly verifier: string; readonly clientsMax: number }>();
  for (const { users: own, limits } of lines) {
    for (const { name, verifier } of own) {
      const clientsMax = Math.max(limits.clientsMax, users.get(name)?.clientsMax ?? 0);
      users.set(name, { verifier, clientsMax });
    }
  }
  return users;
}

/** `[databases]` and `[users]`; there is no line for any other name. */
export function renderLines(lines: readonly Line[], socketPort: number): string {
  const databases = lines.map(({ database, inside, link, limits: { poolSize } }) =>
    [
      `${database} = host='${link}' port=${socketPort} dbname=${inside} pool_size=${poolSize}`,
      `max_db_connections=${poolSize}`,
    ].join(" "),
  );
  const users = [...usersOf(lines)].map(
    ([name, { clientsMax }]) => `${name} = max_user_client_connections=${clientsMax}`,
  );
  return ["[databases]", ...databases, "[users]", ...users, ""].join("\n");
}

/** The file of users: names with verifiers, and no password. */
export function renderUsers(lines: readonly Line[], console: ConsoleUser): string {
  const own = [...usersOf(lines)].map(([name, { verifier }]) => ({ name, verifier }));
  return [console, ...own].map(({ name, verifier }) => `"${name}" "${verifier}"\n`).join("");
}

/**
 * Rules apply from the top: the console over the Unix socket alone; each user to its own database;
 * over TCP only from where the database may be reached. Over the Unix socket comes the host
 * program, which has looked at its clients' addresses itself.
 */
export function renderHba(lines: readonly Line[], console: ConsoleUser): string {
  const own = lines.flatMap(({ database, users, allowedNetworks }) => {
    const names = users.map(({ name }) => name).join(",");
    const from = allowedNetworks.length === 0 ? ["all"] : allowedNetworks;
    return [
      `local ${database} ${names} scram-sha-256`,
      ...from.map((network) => `host ${database} ${names} ${network} scram-sha-256`),
    ];
  });
  const rules = [`local pgbouncer ${console.name} scram-sha-256`, ...own];
  return [...rules, "local all all reject", "host all all all reject", ""].join("\n");
}

// What a client sets when it connects, and only there, is its own; each is set anew for the next.
const tracked = [
  ...["search_path", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"],
  ...["default_transaction_isolation", "jit", "work_mem"],
];

function settingsOf(place: PoolerPlace, console: ConsoleUser): Record<string, string | number> {
  return {
    listen_addr: place.address,
    listen_port: place.port,
    unix_socket_dir: place.socketDirectory,
    unix_socket_mode: "0700",
    log_connections: 0,
    log_disconnections: 0,
    // The host program asks for what it counts.
    log_stats: 0,
    pool_mode: place.mode,
    max_client_conn: place.clientsMax,
    // Protocol-level prepared statements work in transaction mode too; session mode needs no help.
    max_prepared_statements: place.mode === "transaction" ? 200 : 0,
    auth_type: "hba",
    auth_hba_file: place.hbaFile,
    auth_file: place.usersFile,
    admin_users: console.name,
    // Who says nothing takes a place of everybody's for that long.
    client_login_timeout: 5,
    server_login_retry: 0.2,
    server_idle_timeout: 30,
    // An instance that wakes recovers from a crash first when there was one.
    server_connect_timeout: 60,
    query_wait_timeout: 120,
    // Its snapshot keeps what it may still see from being tidied. A dump's leader is idle, too.
    idle_transaction_timeout: 14_400,
    // A pool nobody uses is freed after five minutes.
    pool_idle_timeout: 300,
    track_extra_parameters: tracked.join(", "),
    // JDBC drivers send it always; the value makes no difference since Postgres 12.
    ignore_startup_parameters: "extra_float_digits",
    client_tls_sslmode: place.tls.isRequired ? "require" : "allow",
    client_tls_cert_file: place.tls.certificateFile,
    client_tls_key_file: place.tls.keyFile,
    // Nobody's certificate is asked for, but PgBouncer ends when it can load no CA at all.
    client_tls_ca_file: place.tls.certificateFile,
  };
}

/** The settings file. */
export function renderPooler(place: PoolerPlace, console: ConsoleUser): string {
  const settings = Object.entries(settingsOf(place, console));
  return [
    "; Written by the host program at every start.",
    "[pgbouncer]",
    ...settings.map(([name, value]) => `${name} = ${value}`),
    `%include ${place.databasesFile}`,
    "",
  ].join("\n");
}
