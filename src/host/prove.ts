// Whether a host is what an operator says, before anything of it is written down.
import { z } from "zod";
import { isSpoken, protocolVersion } from "../contract/protocol.ts";
import type { StatusReport } from "../contract/status.ts";
import { messageOf } from "../core/error.ts";
import type { HostFacts, HostLogin, HostPlace } from "../core/host-port.ts";
import { commandHost, type HostAccess } from "./host.ts";
import { connectSql } from "./sql.ts";
import { sqlToken } from "./token.ts";

const Health = z.object({ ready: z.boolean(), protocol: z.int().optional() });
const answerMilliseconds = 5000;

/** What failed, as the field it is about, a colon and the reason: classes do not cross lanes. */
function problem(field: string, reason: string): Error {
  return new Error(`${field}: ${reason}`);
}

/**
 * Asks the host, sends it a signed command, and logs in to its Postgres.
 * @throws Error whose message names the field that is wrong
 */
export async function proveHost(
  access: HostAccess,
  hostId: string,
  { hostUrl, controlUser: user, controlPassword: password, ...place }: HostPlace,
): Promise<HostFacts> {
  const protocol = await askHealth(access, hostUrl);
  const status = await commandHost(access, { id: hostId, hostUrl }, "status", {}).catch((error) => {
    throw problem("id", `its host does not take our commands under this id: ${messageOf(error)}`);
  });
  refuseElsewhere(place, status.listen);
  const token = await sqlToken(access, access.hostKey, hostId, "postgres");
  const postgres = { hostUrl, token, address: "postgres", user, password, database: "postgres" };
  const login = connectSql(postgres, () => undefined);
  const client = await login.catch((error) => {
    throw problem("control_password", `Postgres refuses the login: ${messageOf(error)}`);
  });
  await client.end();
  return { ...factsOf(status), protocol };
}

// The host tries its poolers each second, over TCP: what it says of them has answered.
function refuseElsewhere(
  { publicHost, transactionPort, sessionPort }: Omit<HostPlace, keyof HostLogin>,
  listen: StatusReport["listen"],
): void {
  if (listen === undefined) return;
  const said = {
    public_host: publicHost,
    transaction_port: transactionPort,
    session_port: sessionPort,
  };
  for (const [field, value] of Object.entries(said)) {
    const found = listen[field as keyof typeof said];
    if (value !== found) throw problem(field, `is ${found} in its host's configuration`);
  }
}

/** What a host says of itself, in our words. */
export function factsOf(status: StatusReport): HostFacts {
  return {
    systemIdentifier: status.system_identifier ?? null,
    backendsMax: status.backends_max,
    diskFreeBytes: status.disk_free_bytes,
    diskTotalBytes: status.disk_total_bytes ?? null,
    protocol: status.protocol ?? null,
  };
}

async function askHealth({ fetch }: HostAccess, hostUrl: string): Promise<number | null> {
  let health: z.infer<typeof Health>;
  try {
    const signal = AbortSignal.timeout(answerMilliseconds);
    const response = await fetch(new URL("/healthz", hostUrl), { signal });
    health = Health.parse(await response.json());
  } catch (error) {
    const isOther = error instanceof z.ZodError || error instanceof SyntaxError;
    const reason = isOther ? "what answers is no host program" : messageOf(error);
    throw problem("host_url", `no host of ours answers there: ${reason}`);
  }
  const { protocol = null } = health;
  if (protocol === null || isSpoken(protocol)) return protocol;
  const versions = `it speaks version ${protocol} of the protocol, this Worker ${protocolVersion}`;
  throw problem("host_url", `${versions}: upgrade the older one`);
}
