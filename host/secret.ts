import { randomBytes } from "node:crypto";
import { z } from "zod";
import { readIfExists, writeAtomically } from "./file.ts";

/** The superuser of the cluster: the control plane's, and this program's own. */
export const controlUser = "miosa_control";
/** The role PgBouncer asks for verifiers with. */
export const poolerUser = "pgbouncer";
/** The database that holds the function it asks. */
export const poolerDatabase = "pgb_auth";

const Secrets = z.strictObject({
  control_password: z.string().min(32),
  pooler_password: z.string().min(32),
  /** Encrypts base backups and WAL; without it they are lost. */
  repository_key: z.string().min(32),
});
export type Secrets = z.infer<typeof Secrets>;

function randomPassword(): string {
  return randomBytes(32).toString("base64url");
}

/**
 * The secrets of the cluster, on disk (0600) before any use. Those a file of an earlier version
 * lacks are made now. `repositoryKey` is the operator's own, when there is one.
 */
export function keepSecrets(file: string, repositoryKey: string = randomPassword()): Secrets {
  const kept = readIfExists(file);
  const made = {
    control_password: randomPassword(),
    pooler_password: randomPassword(),
    repository_key: repositoryKey,
  };
  const secrets = Secrets.parse({ ...made, ...JSON.parse(kept ?? "{}") });
  const text = JSON.stringify(secrets);
  if (text !== kept) writeAtomically(file, text);
  return secrets;
}
