import { z } from "zod";
import {
  type HostCommandInput,
  type HostCommandName,
  type HostCommandReport,
  hostCommands,
} from "../contract/command.ts";
import { HostError, isSpoken, protocolHeader, protocolVersion } from "../contract/protocol.ts";
import type { IdSource } from "../core/id.ts";
import type { HostRow } from "./table.ts";
import { commandToken, type HostKey } from "./token.ts";

/** A host said no; `code` is its own word for why. */
export class HostRefusal extends Error {
  override readonly name = "HostRefusal";
  readonly code: string;

  constructor(command: string, status: number, code: string, message: string) {
    super(`Host refused ${command}: ${status} ${code}: ${message}`);
    this.code = code;
  }
}

const timeoutMilliseconds = 15_000;
// Who asks whether a host is well waits for the answer, and is to know within two seconds.
const healthMilliseconds = 1200;

/** Sends signed commands; `fetch` comes from outside so that a test can break the wire. */
export interface HostAccess extends IdSource {
  readonly hostKey: HostKey;
  readonly fetch: typeof fetch;
}

/**
 * Has a host's host carry out one command.
 * @throws HostRefusal with the host's own code and words; Error when it did not answer.
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
    signal: AbortSignal.timeout(timeoutMilliseconds),
  });
  refuseStranger(response);
  const answer: unknown = await response.json();
  if (!response.ok) {
    const { code, message } = HostError.parse(answer).error;
    throw new HostRefusal(command, response.status, code, message);
  }
  const { report } = answer as { report?: unknown };
  return hostCommands[command].report.parse(report) as HostCommandReport<Name>;
}

// One of before there were versions says none.
function refuseStranger({ headers }: Response): void {
  const theirs = Number(headers.get(protocolHeader) ?? protocolVersion - 1);
  if (isSpoken(theirs)) return;
  throw new Error(
    `The host speaks version ${theirs} of the protocol and this Worker ${protocolVersion}: ` +
      "upgrade the older one; a difference of one is tolerated.",
  );
}

const NotReady = z.object({ not_ready: z.array(z.string()) });

/** @throws Error naming what is not ready on a host's host, or that it is silent. */
export async function checkHost(
  access: Pick<HostAccess, "fetch">,
  host: Pick<HostRow, "hostUrl">,
): Promise<void> {
  const signal = AbortSignal.timeout(healthMilliseconds);
  const asked = access.fetch(new URL("/healthz", host.hostUrl), { signal });
  const response = await asked.catch((cause) => {
    throw new Error("its host does not answer", { cause });
  });
  refuseStranger(response);
  if (response.ok) return;
  const said = NotReady.safeParse(await response.json());
  const names = said.success ? said.data.not_ready.join(", ") : "its host";
  throw new Error(`${names} does not answer`);
}
