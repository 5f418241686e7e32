// What the host program keeps to itself, in one file that nobody else reads.
import { createHmac, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { z } from "zod";
import { readIfExists, writeAtomically } from "../base/file.ts";

const Secrets = z.strictObject({
  /** What keys of repositories and passwords of the platform's roles are made of. */
  host_secret: z.string().min(43),
  /** Of the poolers' consoles. */
  console_password: z.string().min(43),
});
export type Secrets = z.infer<typeof Secrets>;

function randomSecret(): string {
  return randomBytes(32).toString("base64url");
}

/**
 * The secrets of a host, on disk (0600) before any use. `given` is the operator's own.
 * @throws Error when it is not the one that the files of the directory were made with
 */
export function keepSecrets(file: string, given: string | undefined): Secrets {
  const kept = readIfExists(file);
  const made = { host_secret: given ?? randomSecret(), console_password: randomSecret() };
  const secrets = Secrets.parse(kept === undefined ? made : JSON.parse(kept));
  if (given !== undefined && secrets.host_secret !== given) {
    throw new Error(
      "backup.encryption_key is not the key this directory was made with: give that one, or none.",
    );
  }
  if (kept === undefined) writeAtomically(file, JSON.stringify(secrets));
  return secrets;
}

/** The host's secret in a copy of that file. @throws Error when it is none */
export function hostSecretIn(file: string): string {
  const kept = z
    .object({ host_secret: Secrets.shape.host_secret })
    .safeParse(JSON.parse(readFileSync(file, "utf8")));
  if (kept.success) return kept.data.host_secret;
  throw new Error(`${file} has no host_secret: give a copy of the host's secret.json.`);
}

/** Encrypts dumps. */
export function dumpKey({ host_secret }: Secrets): string {
  return createHmac("sha256", host_secret).update("dumps").digest("base64url");
}
