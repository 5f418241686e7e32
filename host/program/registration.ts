// What the host is registered with, in a file that whoever starts it reads: who it is, and who
// vouches for its certificate.
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { type HostConfig, layout } from "../base/config.ts";
import { readIfExists, writeIfChanged } from "../base/file.ts";
import { authoritiesOf } from "../server/certificate.ts";

export const Registration = z.object({
  host_id: z.uuid(),
  /** Made once with the directory. */
  identity: z.uuid(),
  /** In PEM: who vouches for its certificate, when clients' systems do not know them. */
  ca_certificates: z.string().optional(),
});

/** Has a directory that is new be a host that was somewhere else before. */
export function registerAs({ directory, host_id }: HostConfig, identity: string): void {
  writeIfChanged(layout(directory).registration, JSON.stringify({ host_id, identity }));
}

/** Keeps it up to date. @returns the identity @throws Error when the directory is another host's */
export function keepRegistration(config: HostConfig): string {
  const { registration: file } = layout(config.directory);
  const kept = readIfExists(file);
  const before = kept === undefined ? undefined : Registration.parse(JSON.parse(kept));
  if (before !== undefined && before.host_id !== config.host_id) {
    throw new Error(
      `host_id: ${config.directory} is the directory of ${before.host_id}: give that, or another.`,
    );
  }
  const identity = before?.identity ?? randomUUID();
  const facts = { host_id: config.host_id, identity, ca_certificates: authoritiesOf(config) };
  writeIfChanged(file, JSON.stringify(facts));
  return identity;
}
