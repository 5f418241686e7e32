// The poolers of a host: one for each pool mode, for all of its databases.
import { join } from "node:path";
import { type HostConfig, isLoopback, layout } from "../base/config.ts";
import type { ProbeWays } from "../database/probe.ts";
import type { SqlTarget } from "../edge-sql/connection.ts";
import type { Targets } from "../edge-sql/websocket.ts";
import { verifierOf } from "../instance/verifier.ts";
import type { PoolerOptions } from "../pooler/files.ts";
import { createPooler, type Pooler } from "../pooler/pooler.ts";
import type { Secrets } from "./secret.ts";

export const modes = ["transaction", "session"] as const;
export type Mode = (typeof modes)[number];

/** A pooler for each pool mode. */
export type Poolers = Readonly<Record<Mode, Pooler>>;

/** The only user of the consoles; no login of a tenant is called so. */
const consoleUser = "miosa";

/** What they are made of beside the configuration. */
export interface PoolersOptions extends Pick<PoolerOptions, "certificate" | "reachable"> {
  readonly config: HostConfig;
  readonly secrets: Secrets;
  readonly clientsMax: number;
}

/** Makes them; nothing is started yet. */
export async function makePoolers(options: PoolersOptions): Promise<Poolers> {
  const { config, secrets, clientsMax, certificate, reachable } = options;
  const { first_uid: firstUid, uids_max: uidsMax, listen } = config;
  const password = secrets.console_password;
  const console = { name: consoleUser, password, verifier: await verifierOf(password) };
  const make = (mode: Mode) =>
    createPooler({
      ...{ mode, clientsMax, certificate, reachable, console, binaries: config.binaries },
      directory: layout(config.directory).pooler,
      // Databases have the first ones.
      uid: firstUid === null ? null : firstUid + uidsMax - 1,
      address: listen.address,
      port: listen[`${mode}_port`],
      requiresTls: !isLoopback(config),
    });
  return { transaction: make("transaction"), session: make("session") };
}

/** Where clients on this machine reach a pooler: a Unix socket. */
function targetOf({ directory, listen }: HostConfig, mode: Mode): SqlTarget {
  return { directory: join(layout(directory).pooler, mode), port: listen[`${mode}_port`] };
}

/** Where SQL over HTTP goes. */
export function sqlTarget(config: HostConfig): SqlTarget {
  return targetOf(config, "transaction");
}

/** Where the WebSockets of tenants lead, by the port they name. */
export function webSocketTargets(config: HostConfig): Targets {
  const ports = modes.map((mode) => {
    const { directory, port } = targetOf(config, mode);
    return [port, { path: join(directory, `.s.PGSQL.${port}`) }] as const;
  });
  return { ports: new Map(ports) };
}

/** How a client of this machine gets to the pooler that shares connections. */
export function probeWays(config: HostConfig): ProbeWays {
  const { directory, port } = sqlTarget(config);
  // Who the server is, is known here.
  const ssl = isLoopback(config) ? {} : { ssl: { rejectUnauthorized: false } };
  return {
    address: { host: localAddress(config), port, ...ssl },
    socket: { host: directory, port },
  };
}

/** The address this machine reaches the poolers at over TCP. */
export function localAddress({ listen }: Pick<HostConfig, "listen">): string {
  if (listen.address === "0.0.0.0") return "127.0.0.1";
  return /^[0:]+$/.test(listen.address) ? "::1" : listen.address;
}
