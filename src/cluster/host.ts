import {
  type HostCommandInput,
  type HostCommandName,
  type HostCommandReport,
  HostError,
  hostCommands,
} from "../contract/host.ts";
import type { IdSource } from "../core/id.ts";
import type { ClusterRow } from "./table.ts";
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

/** Sends signed commands; `fetch` comes from outside so that a test can break the wire. */
export interface HostAccess extends IdSource {
  readonly hostKey: HostKey;
  readonly fetch: typeof fetch;
}

/**
 * Has a cluster's host carry out one command.
 * @throws HostRefusal with the host's own code and words; Error when it did not answer.
 */
export async function commandHost<Name extends HostCommandName>(
  access: HostAccess,
  cluster: Pick<ClusterRow, "id" | "hostUrl">,
  command: Name,
  input: HostCommandInput<Name>,
): Promise<HostCommandReport<Name>> {
  const body = JSON.stringify({ command, input });
  const token = await commandToken(access, access.hostKey, cluster.id, body);
  const response = await access.fetch(new URL("/commands", cluster.hostUrl), {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body,
    signal: AbortSignal.timeout(timeoutMilliseconds),
  });
  const answer: unknown = await response.json();
  if (!response.ok) {
    const { code, message } = HostError.parse(answer).error;
    throw new HostRefusal(command, response.status, code, message);
  }
  const { report } = answer as { report?: unknown };
  return hostCommands[command].report.parse(report) as HostCommandReport<Name>;
}

/** @throws Error naming what is not ready on a cluster's host. */
export async function checkHost(
  access: Pick<HostAccess, "fetch">,
  cluster: Pick<ClusterRow, "hostUrl">,
): Promise<void> {
  const response = await access.fetch(new URL("/healthz", cluster.hostUrl), {
    signal: AbortSignal.timeout(timeoutMilliseconds),
  });
  if (!response.ok) throw new Error(`Host is not ready: ${await response.text()}`);
}
