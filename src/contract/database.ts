// The databases of a host, each an instance of its own.
import { z } from "zod";
import { TenantLogin } from "./login.ts";
import { DatabaseName } from "./name.ts";
import { Nothing } from "./protocol.ts";
import { DatabaseSpec } from "./spec.ts";

const OneDatabase = z.strictObject({ database: DatabaseName });

/** A database as its host has it. */
const HostDatabase = z.object({
  database: DatabaseName,
  /** `failed`: it is to run and does not; `detail` says why. */
  state: z.enum(["running", "asleep", "stopped", "failed"]),
  detail: z.string().nullable(),
  /** Of the spec that is in force: SHA-256 of its canonical JSON, hexadecimal. */
  spec_sha256: z.string().length(64),
  /** Postgres' own number of its cluster, as text. */
  system_identifier: z.string(),
  /** What it takes on disk; null until it was measured. */
  data_bytes: z.int().min(0).nullable(),
  wal_bytes: z.int().min(0).nullable(),
  measured_at: z.iso.datetime().nullable(),
});
export type HostDatabase = z.infer<typeof HostDatabase>;

/** What a restore in place put aside: it can be brought back, and takes up disk. */
const AsideInstance = z.object({
  database: DatabaseName,
  instance: z.string(),
  bytes: z.int().min(0).nullable(),
});

/** What a host does with one database, and which it has. All may be sent twice. */
export const databaseCommands = {
  /** Makes it, backed up once; its URL answers then. One that is there is given the spec. */
  "database.create": {
    input: z.strictObject({ database: DatabaseName, spec: DatabaseSpec }),
    report: Nothing,
  },
  /**
   * Gives a database its whole spec; answers once it is in force. Where Postgres has to be
   * restarted for it, clients of the transaction port wait meanwhile. 404 `unknown_database`.
   */
  "database.configure": {
    input: z.strictObject({ database: DatabaseName, spec: DatabaseSpec }),
    report: Nothing,
  },
  /** Removes it, its previews and what was put aside; its backups stay for their window. */
  "database.remove": { input: OneDatabase, report: Nothing },
  /** Ends its clients and its Postgres, and refuses new ones until `database.start`. */
  "database.stop": { input: OneDatabase, report: Nothing },
  /** Starts it and lets clients in; also wakes one that sleeps. */
  "database.start": { input: OneDatabase, report: Nothing },
  /** Restarts its Postgres; clients of the transaction port wait meanwhile. */
  "database.restart": { input: OneDatabase, report: Nothing },
  /** Runs `SELECT 1` as a client does; 409 `no_answer` with what it was told instead. */
  "database.probe": {
    input: z.strictObject({
      login: TenantLogin,
      /** Over the socket no rule about addresses holds. */
      by: z.enum(["address", "socket"]).default("address"),
    }),
    report: Nothing,
  },
  /** Makes a writable copy of a database as it is now, as a database of its own. */
  "database.branch": {
    input: z.strictObject({ source: DatabaseName, database: DatabaseName, spec: DatabaseSpec }),
    report: Nothing,
  },
  /** Gives the disk back what was deleted from tables; a busy table waits for another time. */
  "database.compact": { input: OneDatabase, report: Nothing },
  /** Measures now what it takes on disk. */
  "database.measure": {
    input: OneDatabase,
    report: z.object({ data_bytes: z.int().min(0), wal_bytes: z.int().min(0) }),
  },
  /** Every database of the host, and what was put aside. */
  inventory: {
    input: Nothing,
    report: z.object({
      databases: z.array(HostDatabase),
      aside: z.array(AsideInstance),
    }),
  },
} as const;
