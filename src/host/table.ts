import { sql } from "drizzle-orm";
import { check, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { idColumn, seqColumn, timeColumn, timeColumns } from "../core/column.ts";

/** One machine with its host program, its poolers and the instances behind them. */
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
    /** Its id, sealed: keys that do not open it are not those D1's secrets were sealed with. */
    checkSealed: text("check_sealed").notNull(),
    /** In PEM: who vouches for its certificate; null when clients' systems know them. */
    caCertificates: text("ca_certificates"),
    databasesMax: integer("databases_max").notNull(),
    /** Databases placed here, spare ones among them; moved in the batch that places one. */
    databasesCount: integer("databases_count").notNull().default(0),
    /** Backends its instances may have together. */
    backendsMax: integer("backends_max").notNull().default(0),
    /** What its databases may have of them at once: the sum of their `backends`. */
    backendsCount: integer("backends_count").notNull().default(0),
    /** A draining host keeps its databases and takes no new one. */
    state: text("state", { enum: ["active", "draining"] }).notNull(),
    /** Made once with its directory: another one at the same address is another host. */
    identity: text("identity").notNull(),
    /** Since when it does not answer, and why; null while it does, as of the last look. */
    silentSince: timeColumn("silent_since"),
    silentReason: text("silent_reason"),
    /** Of the disk its data is on, as of the last look. */
    diskFreeBytes: integer("disk_free_bytes"),
    diskTotalBytes: integer("disk_total_bytes"),
    /** Version of the protocol it speaks. */
    protocol: integer("protocol").notNull(),
    /** The last of its incidents that was read. */
    incidentSeq: integer("incident_seq").notNull().default(0),
    /** The last mark its host is known to have taken, and the one it is told next. */
    markConfirmed: text("mark_confirmed"),
    markPending: text("mark_pending"),
    /** It is to take over the state of D1 at the next mark, whatever it knew. */
    adoptsMark: integer("adopts_mark", { mode: "boolean" }).notNull().default(false),
    /** Up to which of its transitions the rows of its databases were brought. */
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
