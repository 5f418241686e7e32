import { sql } from "drizzle-orm";
import { check, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { idColumn, seqColumn, timeColumns } from "../core/column.ts";

/** One Postgres with its poolers and its host program. */
export const cluster = sqliteTable(
  "cluster",
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
    /** A draining cluster keeps its databases and takes no new one. */
    state: text("state", { enum: ["active", "draining"] }).notNull(),
    /** Up to which of its host's transitions the rows of its databases were brought. */
    transitionSeq: integer("transition_seq").notNull().default(0),
    ...timeColumns(),
  },
  (t) => [
    check("cluster_has_room", sql`${t.databasesCount} <= ${t.databasesMax}`),
    check("cluster_count_is_natural", sql`${t.databasesCount} >= 0`),
  ],
);

/** One row of the table. */
export type ClusterRow = typeof cluster.$inferSelect;
