import { join } from "node:path";
import { type HostConfig, layout, postgresPort } from "./config.ts";
import { localAddress, type PoolMode, poolerFiles, poolerPort } from "./pgbouncer-config.ts";
import type { Targets } from "./websocket.ts";

/** Where the proxy's names lead: tenants over TCP, so that the poolers' rules for TCP hold. */
export function proxyTargets(config: HostConfig): Targets {
  const tcp = (mode: PoolMode) => ({ host: localAddress(config), port: poolerPort(config, mode) });
  const unix = (directory: string, port: number) => ({
    path: join(directory, `.s.PGSQL.${port}`),
  });
  const console = (mode: PoolMode) =>
    unix(poolerFiles(config, mode).socketDirectory, poolerPort(config, mode));
  return {
    transaction: tcp("transaction"),
    session: tcp("session"),
    postgres: unix(layout(config.directory).run, postgresPort),
    "transaction-console": console("transaction"),
    "session-console": console("session"),
  };
}
