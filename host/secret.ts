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
});
export type Secrets = z.infer<typeof Secrets>;

function randomPassword(): string {
  return randomBytes(32).toString("base64url");
}

/** The two passwords of the cluster, made at the first call and on disk (0600) before any use. */
export function keepSecrets(file: string): Secrets {
  const kept = readIfExists(file);
  if (kept !== undefined) return Secrets.parse(JSON.parse(kept));
  const secrets = { control_password: randomPassword(), pooler_password: randomPassword() };
  writeAtomically(file, JSON.stringify(secrets));
  return secrets;
}
