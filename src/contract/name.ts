// What databases are called.
import { z } from "zod";

/** Databases the host keeps for itself; no command and no tenant may name them. */
export const reservedDatabases = [
  "postgres",
  "template0",
  "template1",
  "pgbouncer",
  "miosa_template",
] as const;

/** The name of a tenant's database. It is written into pooler files, hence the narrow alphabet. */
export const DatabaseName = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,62}$/, "1-63 of a-z, 0-9 and _, starting with a letter")
  .refine((name) => !reservedDatabases.some((reserved) => reserved === name), "is reserved");
