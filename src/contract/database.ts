// A cluster's databases, as its host knows them.
import { z } from "zod";
import { Nothing } from "./protocol.ts";
import { DatabaseSettings } from "./setting.ts";

/** Databases the host keeps for itself; no command and no tenant may name them. */
export const reservedDatabases = [
  "postgres",
  "template0",
  "template1",
  "pgbouncer",
  "pgb_auth",
  "miosa_template",
] as const;

/** The name of a tenant's database. It is written into pooler files, hence the narrow alphabet. */
export const DatabaseName = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,62}$/, "1-63 of a-z, 0-9 and _, starting with a letter")
  .refine((name) => !reservedDatabases.some((reserved) => reserved === name), "is reserved");

const OneDatabase = z.strictObject({ database: DatabaseName });

/** What is kept about one database beside Postgres. */
const HostDatabase = z.object({
  database: DatabaseName,
  state: z.enum(["running", "suspended", "stopped"]),
  settings: DatabaseSettings,
});
export type HostDatabase = z.infer<typeof HostDatabase>;

/** Which names change places: what is live goes aside, its twin takes its place. */
const DatabaseSwap = z.strictObject({
  live: DatabaseName,
  twin: DatabaseName,
  aside: DatabaseName,
});
export type DatabaseSwap = z.infer<typeof DatabaseSwap>;

/** What a host does with one database, and which it keeps. */
export const databaseCommands = {
  /** Gives a database all its settings, dropping no client; answers once they are in force. */
  "database.configure": {
    input: z.strictObject({ database: DatabaseName, settings: DatabaseSettings }),
    report: Nothing,
  },
  /** Takes a dropped database's settings and state away and ends its clients' connections. */
  "database.forget": { input: OneDatabase, report: Nothing },
  /**
   * Ends a database's connections and refuses new ones until `database.start`, whatever is
   * restarted meanwhile. 404 `unknown_database` when the cluster has none of that name.
   */
  "database.stop": { input: OneDatabase, report: Nothing },
  /** Lets clients in again; also wakes a suspended database. 404 as above. */
  "database.start": { input: OneDatabase, report: Nothing },
  /** What is kept of databases: those that were configured, stopped or suspended. */
  inventory: { input: Nothing, report: z.object({ databases: z.array(HostDatabase) }) },
  /**
   * Puts the database `twin` in the place of `live`, which is `aside` from then on. Clients of the
   * transaction port wait meanwhile; those of the session port are ended and let in again.
   */
  "database.swap": { input: DatabaseSwap, report: Nothing },
} as const;
