import { sql } from "drizzle-orm";
import { index, integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import {
  attributionColumns,
  idColumn,
  seqColumn,
  timeColumn,
  timeColumns,
} from "../core/column.ts";
import type { LimitOverrides } from "./size.ts";
import { storedStates } from "./status.ts";

/**
 * That a database has its name and its place as primary: one that is purged after a deletion, or
 * after it failed, has given them up before.
 */
export const hasItsName = sql`state not in ('failed', 'deleted', 'purged')
  and not (state = 'deleting' and deleted_at is not null)`;

/** One logical database: the customer's, in one of our hosts. */
export const database = sqliteTable(
  "database",
  {
    seq: seqColumn(),
    id: idColumn(),
    organizationId: text("organization_id").notNull(),
    workspaceId: text("workspace_id").notNull(),
    projectId: text("project_id").notNull(),
    environmentId: text("environment_id").notNull(),
    /** Name of its environment, which never changes. */
    environment: text("environment").notNull(),
    /** The caller's name; the primary of an environment is what DATABASE_URL names. */
    name: text("name").notNull(),
    isPrimary: integer("is_primary", { mode: "boolean" }).notNull(),
    size: text("size", { enum: ["small", "medium", "large"] }).notNull(),
    state: text("state", { enum: storedStates }).notNull(),
    /** Idle time after which its host suspends it; 0 is never. */
    suspendAfterSeconds: integer("suspend_after_seconds").notNull().default(0),
    /** Networks (CIDR) clients are let in from; empty is from everywhere. */
    allowedAddresses: text("allowed_addresses", { mode: "json" })
      .$type<string[]>()
      .notNull()
      .default([]),
    /** Numbers its organization's plan puts in place of its size's. */
    planLimits: text("plan_limits", { mode: "json" }).$type<LimitOverrides>().notNull().default({}),
    /** Numbers an operator gave this one database, in place of both. */
    ownLimits: text("own_limits", { mode: "json" }).$type<LimitOverrides>().notNull().default({}),
    /** Backends its host keeps for it: those of its limits or, in a change, of the greater. */
    backends: integer("backends").notNull().default(0),
    /** What it was measured to take on disk. */
    storageBytes: integer("storage_bytes").notNull().default(0),
    /** What it may take before it grows; null until it first grew: its limits' number. */
    storageAllocatedBytes: integer("storage_allocated_bytes"),
    /** Where it stands below its ceiling. */
    storageState: text("storage_state", { enum: ["normal", "warning", "full"] })
      .notNull()
      .default("normal"),
    storageMeasuredAt: timeColumn("storage_measured_at"),
    hostId: text("host_id").notNull(),
    /** In Postgres; random, so that a neighbour who lists them learns nothing. */
    databaseName: text("database_name").notNull().unique(),
    /** Postgres' own number of it, by which a base backup knows it; null until it was seen. */
    oid: integer("oid"),
    ownerRole: text("owner_role").notNull(),
    loginRole: text("login_role").notNull(),
    passwordSealed: text("password_sealed").notNull(),
    /** The login of a rotation that is under way, and its password. */
    pendingLoginRole: text("pending_login_role"),
    pendingPasswordSealed: text("pending_password_sealed"),
    /** The database it was branched from, and when it is deleted by itself; null is never. */
    branchOf: text("branch_of"),
    expiresAt: timeColumn("expires_at"),
    /** While set, it is not deleted. */
    deletionProtection: integer("deletion_protection", { mode: "boolean" })
      .notNull()
      .default(false),
    /** Why it failed, in words for the caller. */
    errorMessage: text("error_message"),
    deletedAt: timeColumn("deleted_at"),
    /** When a deleted one is gone for good. */
    purgeAt: timeColumn("purge_at"),
    /** What it was before it was deleted, to be again after an undelete. */
    stateBeforeDelete: text("state_before_delete", { enum: ["running", "stopped"] }),
    /** It went with its project, and comes back with it. */
    deletedWithProject: integer("deleted_with_project", { mode: "boolean" })
      .notNull()
      .default(false),
    ...attributionColumns(),
    ...timeColumns(),
  },
  (t) => [
    uniqueIndex("database_primary_of_environment")
      .on(t.environmentId)
      .where(sql`is_primary = 1 and ${hasItsName}`),
    uniqueIndex("database_name_in_environment").on(t.environmentId, t.name).where(hasItsName),
    index("database_of_organization").on(t.organizationId, t.seq),
    index("database_of_project").on(t.projectId, t.seq),
    index("database_of_host").on(t.hostId, t.seq),
    index("database_branch").on(t.branchOf, t.seq),
    index("database_expiry").on(t.expiresAt),
  ],
);

/** One row of the table. */
export type DatabaseRow = typeof database.$inferSelect;
