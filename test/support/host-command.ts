// Commands to the host of a running system, signed as the control plane signs them.
import { createHash, randomUUID } from "node:crypto";
import { join } from "node:path";
import { importJWK, SignJWT } from "jose";
import { keepSecrets } from "../../local/launch/secrets.ts";
import {
  type HostCommandInput,
  type HostCommandName,
  type HostCommandReport,
  hostCommands,
} from "../../src/contract/command.ts";
import type { RunningSystem } from "./system.ts";

/** Has the host carry out one command; what it refuses is the error. */
export async function command<Name extends HostCommandName>(
  system: RunningSystem,
  name: Name,
  input: HostCommandInput<Name>,
): Promise<HostCommandReport<Name>> {
  const body = JSON.stringify({ command: name, input });
  const { host_key } = keepSecrets(join(system.home, "secrets.json"));
  const { host_id, host_url } = system.dev();
  const body_sha256 = createHash("sha256").update(body).digest("base64url");
  const token = await new SignJWT({ scope: "command", body_sha256, jti: randomUUID() })
    .setProtectedHeader({ alg: "EdDSA", kid: host_key.kid })
    .setAudience(host_id)
    .setIssuedAt()
    .setExpirationTime("60s")
    .sign(await importJWK(host_key, "EdDSA"));
  const response = await fetch(new URL("/commands", host_url), {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body,
  });
  if (!response.ok) throw new Error(`${name}: ${response.status} ${await response.text()}`);
  const { report } = (await response.json()) as { readonly report: unknown };
  return hostCommands[name].report.parse(report) as HostCommandReport<Name>;
}
