import { join } from "node:path";
import { type HostConfig, layout, postgresPort } from "./config.ts";
import { localAddress, type PoolMode, poolerFiles, poolerPort } from "./pgbouncer-config.ts";
import type { SqlTarget } from "./sql-connection.ts";
import type { Targets } from "./websocket.ts";

/**
 * Where the proxy's names lead, for the control plane: to the poolers as a client of theirs over
 * TCP; and the ports, for tenants, whom this program has looked at itself.
 */
export function proxyTargets(config: HostConfig): Targets {
  const tcp = (mode: PoolMode) => ({ host: localAddress(config), port: poolerPort(config, mode) });
  const unix = (directory: string, port: number) => ({
    path: join(directory, `.s.PGSQL.${port}`),
  });
  const console = (mode: PoolMode) =>
    unix(poolerFiles(config, mode).socketDirectory, poolerPort(config, mode));
  const [transaction, session] = [console("transaction"), console("session")];
  return {
    names: {
      transaction: tcp("transaction"),
      session: tcp("session"),
      postgres: unix(layout(config.directory).run, postgresPort),
      "transaction-console": transaction,
      "session-console": session,
    },
    // By socket, where no TLS is asked for: what a tenant says is in the WebSocket's already.
    ports: new Map([
      [config.listen.transaction_port, transaction],
      [config.listen.session_port, session],
    ]),
  };
}

/** Where SQL over HTTP goes. */
export function sqlTarget(config: HostConfig): SqlTarget {
  const { socketDirectory: directory } = poolerFiles(config, "transaction");
  return { directory, port: poolerPort(config, "transaction") };
}
