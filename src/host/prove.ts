// Whether a host is what an operator says, before anything of it is written down.
import { z } from "zod";
import { isSpoken, protocolVersion } from "../contract/protocol.ts";
import { messageOf } from "../core/error.ts";
import type { HostFacts, HostPlace } from "../core/host-port.ts";
import { commandHost, type HostAccess } from "./command.ts";

const Health = z.object({ ready: z.boolean(), protocol: z.int().optional() });
const answerMilliseconds = 5000;

/** What failed, as the field it is about, a colon and the reason. */
function problem(field: string, reason: string): Error {
  return new Error(`${field}: ${reason}`);
}

/**
 * Asks what answers at the address, and sends it a signed command.
 * @throws Error whose message names the field that is wrong
 */
export async function proveHost(
  access: HostAccess,
  hostId: string,
  { hostUrl, ...place }: HostPlace,
): Promise<HostFacts> {
  await askHealth(access, hostUrl);
  const facts = await commandHost(access, { id: hostId, hostUrl }, "status", {}).catch((error) => {
    throw problem("id", `it does not take our commands under this id: ${messageOf(error)}`);
  });
  refuseElsewhere(place, facts.listen);
  return facts;
}

// The host tries its poolers each second: what it says of them has answered.
function refuseElsewhere(
  { publicHost, transactionPort, sessionPort }: Omit<HostPlace, "hostUrl">,
  listen: HostFacts["listen"],
): void {
  const said = {
    public_host: publicHost,
    transaction_port: transactionPort,
    session_port: sessionPort,
  };
  for (const [field, value] of Object.entries(said)) {
    const found = listen[field as keyof typeof said];
    if (value !== found) throw problem(field, `is ${found} in the host's own configuration`);
  }
}

async function askHealth({ fetch }: HostAccess, hostUrl: string): Promise<void> {
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
  const { protocol = 1 } = health;
  if (isSpoken(protocol)) return;
  const versions = `it speaks version ${protocol} of the protocol, this Worker ${protocolVersion}`;
  throw problem("host_url", `${versions}: upgrade the older one`);
}
