// Commands to hosts: signed requests, from wherever the control plane happens to run.
import { z } from "zod";
import {
  type HostCommandInput,
  type HostCommandName,
  type HostCommandReport,
  hostCommands,
} from "../contract/command.ts";
import { HostError, isSpoken, protocolHeader, protocolVersion } from "../contract/protocol.ts";
import type { Context } from "../core/context.ts";
import { HostRefusal, Unreached } from "../core/error.ts";
import type { HostPort } from "../core/host-port.ts";
import type { IdSource } from "../core/id.ts";
import { getHost } from "./find.ts";
import { proveHost } from "./prove.ts";
import type { HostRow } from "./table.ts";
import { commandToken, type HostKey } from "./token.ts";

// What reads answers at once. What changes an instance may start, restart or back up a Postgres.
const readMilliseconds = 15_000;
const changeMilliseconds = 60_000;
// Who asks whether a host is well waits for the answer, and is to know within two seconds.
const healthMilliseconds = 1200;

// A proxy says that it did not get through: the origin refuses, is not found or takes too long to
// accept a connection.
const notReached = new Set([521, 522, 523]);

/** Sends signed commands; `fetch` comes from outside so that a test can break the wire. */
export interface HostAccess extends IdSource {
  readonly hostKey: HostKey;
  readonly fetch: typeof fetch;
}

/** The port over signed requests. */
export function hostPort(context: Pick<Context, "db">, access: HostAccess): HostPort {
  return {
    command: async (hostId, name, input) =>
      commandHost(access, await getHost(context, hostId), name, input),
    prove: (hostId, place) => proveHost(access, hostId, place),
    checkReady: async (hostId) => checkHost(access, await getHost(context, hostId)),
  };
}

/**
 * Has a host carry out one command.
 * @throws HostRefusal with the host's own code and words; Unreached; Error when it did not answer.
 */
export async function commandHost<Name extends HostCommandName>(
  access: HostAccess,
  host: Pick<HostRow, "id" | "hostUrl">,
  command: Name,
  input: HostCommandInput<Name>,
): Promise<HostCommandReport<Name>> {
  const body = JSON.stringify({ command, input });
  const token = await commandToken(access, access.hostKey, host.id, body);
  const response = await access.fetch(new URL("/commands", host.hostUrl), {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      [protocolHeader]: String(protocolVersion),
    },
    body,
    signal: AbortSignal.timeout(waitOf(command)),
  });
  if (notReached.has(response.status)) {
    throw new Unreached(`The host was not reached: ${response.status}.`);
  }
  refuseStranger(response);
  const answer: unknown = await response.json();
  if (!response.ok) {
    const { code, message } = HostError.parse(answer).error;
    throw new HostRefusal(command, response.status, code, message);
  }
  const { report } = answer as { report?: unknown };
  return hostCommands[command].report.parse(report) as HostCommandReport<Name>;
}

function waitOf(command: HostCommandName): number {
  return /^(database|recovery|aside)\.(?!status|logs|metrics|probe)/.test(command)
    ? changeMilliseconds
    : readMilliseconds;
}

// One of before there were versions says none.
function refuseStranger({ headers }: Response): void {
  const theirs = Number(headers.get(protocolHeader) ?? 1);
  if (isSpoken(theirs)) return;
  throw new Error(
    `The host speaks version ${theirs} of the protocol and this Worker ${protocolVersion}: ` +
      "upgrade the older one; a difference of one is tolerated.",
  );
}

const NotReady = z.object({ not_ready: z.array(z.string()) });

/** @throws Unreached when a host is silent; Error naming what is not ready there. */
async function checkHost(
  access: Pick<HostAccess, "fetch">,
  host: Pick<HostRow, "hostUrl">,
): Promise<void> {
  const signal = AbortSignal.timeout(healthMilliseconds);
  const asked = access.fetch(new URL("/healthz", host.hostUrl), { signal });
  const response = await asked.catch((cause) => {
    throw new Unreached("its host program does not answer", { cause });
  });
  if (notReached.has(response.status)) throw new Unreached("its host program does not answer");
  refuseStranger(response);
  if (response.ok) return;
  const said = NotReady.safeParse(await response.json());
  const names = said.success ? said.data.not_ready.join(", ") : "its host program";
  throw new Error(`${names} does not answer`);
}
