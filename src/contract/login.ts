// Who logs in to a database.
import { z } from "zod";
import { DatabaseName } from "./name.ts";

/** A database, and the login that acts as the owner of what is in it. */
export const TenantLogin = z.strictObject({
  database: DatabaseName,
  user: z.string().regex(/^[a-z][a-z0-9_]{0,62}$/),
  password: z.string().min(16).max(200),
});
export type TenantLogin = z.infer<typeof TenantLogin>;
