// The peers of the pooler: a bare PgBouncer of the same version with one database and nothing set
// but its pool, and Postgres itself; and pgbench, which loads them all alike.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { placeOf, socketPort } from "../host/instance/place.ts";
import { instanceOf } from "../test/support/operator.ts";
import { freePort } from "../test/support/port.ts";
import { onEnd } from "./ending.ts";
import { besideHost, type Installation } from "./installation.ts";
import { commandOf } from "./peer.ts";

const run = promisify(execFile);

/** Where a load goes. */
export interface Place {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** A load of `select 1`, prepared once, or with a connection for each. */
export interface Load {
  readonly clients: number;
  /** About how long it takes. */
  readonly seconds: number;
  readonly isConnecting: boolean;
}

/** Starts a bare PgBouncer before the same Postgres, as its owner; it ends with the figure. */
export async function startBare(installation: Installation, to: Place, poolSize: number) {
  const { system, hostPid } = installation;
  // As the host program sees it, beside which it runs.
  const { door } = placeOf(system.dev().host_directory, instanceOf(system, to.database));
  const directory = mkdtempSync(join(tmpdir(), "miosa-bare-"));
  const port = await freePort();
  const { uid, gid } = statSync(`/proc/${hostPid()}`);
  const write = (name: string, text: string) => {
    writeFileSync(join(directory, name), text, { mode: 0o600 });
    chownSync(join(directory, name), uid, gid);
    return join(directory, name);
  };
  const users = write("users.txt", `"${to.user}" "${to.password}"\n`);
  const ini = [
    "[databases]",
    `${to.database} = host='${door}' port=${socketPort} pool_size=${poolSize}`,
    "[pgbouncer]",
    ...["pool_mode = transaction", "listen_addr = 127.0.0.1", `listen_port = ${port}`],
    ...["auth_type = scram-sha-256", `auth_file = ${users}`, "unix_socket_dir ="],
    ...["max_client_conn = 5000", "log_connections = 0", "log_disconnections = 0"],
    ...["query_wait_timeout = 20", ""],
  ];
  const file = write("bare.ini", ini.join("\n"));
  chownSync(directory, uid, gid);
  chmodSync(directory, 0o700);
  const { command, prefix } = commandOf(installation, "pgbouncer");
  const beside = besideHost(installation);
  const [program = "", ...args] = [...beside, command, ...prefix, "-q", file];
  const child = spawn(program, args, { stdio: "ignore" });
  const place = { ...to, host: "127.0.0.1", port };
  onEnd(async () => {
    const ended = once(child, "exit");
    if (child.kill("SIGKILL")) await ended;
    rmSync(directory, { recursive: true, force: true });
  });
  await untilItAnswers(place, installation);
  return { place };
}

async function untilItAnswers(place: Place, installation: Pick<Installation, "binaries">) {
  const load = { clients: 1, seconds: 1, isConnecting: false };
  let last: unknown;
  for (let tries = 0; tries < 50; tries++) {
    try {
      await pgbench(installation, place, load);
      return;
    } catch (error) {
      last = error;
    }
    await delay(100);
  }
  throw new Error("The bare PgBouncer does not answer.", { cause: last });
}

/** Transactions a second. */
export async function pgbench(
  installation: Pick<Installation, "binaries">,
  { host, port, user, password, database }: Place,
  { clients, seconds, isConnecting }: Load,
): Promise<number> {
  const script = join(tmpdir(), "miosa-select-one.sql");
  if (!existsSync(script)) writeFileSync(script, "select 1;\n");
  const { command, prefix } = commandOf(installation, "pgbench");
  const how = isConnecting ? ["-C"] : ["-M", "prepared"];
  // By number: a time would run from before all have connected, its rate does not.
  const each = Math.ceil(((isConnecting ? 200 : 10_000) * seconds) / clients);
  const load = ["-c", String(clients), "-j", "2", "-t", String(each)];
  const args = ["-n", "-f", script, ...load, ...how];
  const env = {
    ...{ PGHOST: host, PGPORT: String(port), PGUSER: user, PGPASSWORD: password },
    ...{ PGDATABASE: database, PGSSLMODE: "disable" },
  };
  const { stdout } = await run(command, [...prefix, ...args], { env });
  const rate = Number(/^tps = ([\d.]+)/m.exec(stdout)?.[1]);
  if (!Number.isFinite(rate)) throw new Error(`pgbench did not say its rate: ${stdout}`);
  return rate;
}
