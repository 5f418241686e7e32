// The host's HTTP: commands of the control plane, dumps, and SQL of tenants.
import { protocolVersion } from "../../src/contract/protocol.ts";
import { type CommandHandlers, dispatch } from "../base/command.ts";
import type { HostConfig } from "../base/config.ts";
import { HostProblem } from "../base/problem.ts";
import { createTokenGate } from "../base/token.ts";
import type { Admission } from "../edge-sql/admission.ts";
import { createAdmission } from "../edge-sql/admission.ts";
import { createSqlHttp } from "../edge-sql/http.ts";
import { createShares } from "../edge-sql/share.ts";
import { createProxy } from "../edge-sql/websocket.ts";
import { createHostServer, listen, renewKeyPair, type ServerOptions } from "../server/server.ts";
import { type Ground, readCertificate } from "./open.ts";
import { sqlTarget, webSocketTargets } from "./poolers.ts";

const caps = { tenantConnectionsMax: 5000, controlConnectionsMax: 0 };

/** What there is once the host runs. */
export interface Opened {
  readonly handlers: CommandHandlers;
  readonly dumps: ReturnType<ServerOptions["dumps"]>;
  /** What does not answer at the moment. */
  readonly notReady: () => readonly string[];
}

/** Of a host that only this machine reaches, HTTP is not encrypted. */
function keyPairOf(config: HostConfig) {
  return config.tls === undefined ? undefined : readCertificate(config);
}

/** Serves at once; whoever wants more than to know how it is, is refused until `open` is called. */
export async function serve({ config, files }: Pick<Ground, "config" | "files">) {
  const keys = { clusterId: config.host_id, keys: config.control_keys };
  const gate = createTokenGate({ ...keys, now: Date.now });
  let open: Opened | undefined;
  const opened = () => {
    if (open !== undefined) return open;
    throw new HostProblem(503, "starting", "The host is starting: try again in a second.");
  };
  const admitting = createAdmission(files);
  const admission = (): Admission => {
    opened();
    return admitting;
  };
  const shares = createShares();
  const proxy = createProxy({
    ...{ targets: webSocketTargets(config), gate, admission, shares, ...caps },
  });
  const server = createHostServer(
    {
      ...{ gate, proxy, protocolVersion, dumps: () => opened().dumps },
      command: (body) => dispatch(opened().handlers, body),
      sql: createSqlHttp(sqlTarget(config), admission, shares),
      notReady: () => (open === undefined ? ["host"] : open.notReady()),
    },
    keyPairOf(config),
  );
  await listen(server, config);
  return {
    open: (now: Opened) => {
      open = now;
    },
    /** Shows who connects the certificate that is in use by now. */
    renew: () => {
      const keyPair = keyPairOf(config);
      if (keyPair !== undefined) renewKeyPair(server, keyPair);
    },
    close: () => {
      server.close();
      proxy.close();
      server.closeAllConnections();
    },
  };
}
export type Http = Awaited<ReturnType<typeof serve>>;
