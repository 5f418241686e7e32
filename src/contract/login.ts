// Who logs in to a cluster's Postgres.
import { z } from "zod";
import { DatabaseName } from "./database.ts";

/** A database, and the login that acts as the owner of what is in it. */
export const TenantLogin = z.strictObject({
  database: DatabaseName,
  user: z.string().regex(/^[a-z][a-z0-9_]{0,62}$/),
  password: z.string().min(16).max(200),
});
export type TenantLogin = z.infer<typeof TenantLogin>;

/** `control.json`: what a cluster is registered with. */
export const ControlLogin = z.object({
  /** The control plane's superuser, reachable only through the host. */
  user: z.string(),
  password: z.string().min(32),
  backends_max: z.int(),
  /** In PEM: who vouches for its certificate, when clients' systems do not know them. */
  ca_certificates: z.string().optional(),
});
