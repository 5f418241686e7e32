import { sql } from "drizzle-orm";
import { check, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { idColumn, seqColumn, timeColumn, timeColumns } from "../core/column.ts";

/** One Postgres with its poolers and its host program. */
export const host = sqliteTable(
  "host",
  {
    seq: seqColumn(),
    id: idColumn(),
    name: text("name").notNull().unique(),
    /** Where the host program listens: `http://127.0.0.1:4000`, or https at any other address. */
    hostUrl: text("host_url").notNull(),
    /** What stands in a DATABASE_URL. */
    publicHost: text("public_host").notNull(),
    transactionPort: integer("transaction_port").notNull(),
    sessionPort: integer("session_port").notNull(),
    controlUser: text("control_user").notNull(),
    controlPasswordSealed: text("control_password_sealed").notNull(),
    /** In PEM: who vouches for its certificate; null when clients' systems know them. */
    caCertificates: text("ca_certificates"),
    databasesMax: integer("databases_max").notNull(),
    /** Databases placed here; moved in the batch that places or releases one. */
    databasesCount: integer("databases_count").notNull().default(0),
    /** Backends its Postgres has for tenants; what is over is none of theirs. */
    backendsMax: integer("backends_max").notNull().default(0),
    /** What its databases may have of them at once: the sum of their `backends`. */
    backendsCount: integer("backends_count").notNull().default(0),
    /** A draining host keeps its databases and takes no new one. */
    state: text("state", { enum: ["active", "draining"] }).notNull(),
    /** Postgres' own number of its host: another one at the same address is another host. */
    systemIdentifier: text("system_identifier"),
    /** Since when it does not answer, and why; null while it does, as of the last look. */
    silentSince: timeColumn("silent_since"),
    silentReason: text("silent_reason"),
    /** Of the disk its data is on, as of the last look. */
    diskFreeBytes: integer("disk_free_bytes"),
    diskTotalBytes: integer("disk_total_bytes"),
    /** Version of the protocol its host speaks. */
    protocol: integer("protocol"),
    /** The last incident of its host that was read. */
    incidentSeq: integer("incident_seq").notNull().default(0),
    /** The last mark its host is known to have taken, and the one it is told next. */
    markConfirmed: text("mark_confirmed"),
    markPending: text("mark_pending"),
    /** Its host is to take over the state of D1 at the next mark, whatever it knew. */
    adoptsMark: integer("adopts_mark", { mode: "boolean" }).notNull().default(false),
    /** Up to which of its host's transitions the rows of its databases were brought. */
    transitionSeq: integer("transition_seq").notNull().default(0),
    ...timeColumns(),
  },
  (t) => [
    check("host_has_room", sql`${t.databasesCount} <= ${t.databasesMax}`),
    check("host_count_is_natural", sql`${t.databasesCount} >= 0`),
  ],
);

/** One row of the table. */
export type HostRow = typeof host.$inferSelect;
