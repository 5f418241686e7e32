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

/** A login that a rotation has replaced: it works until its overlap is over. */
export interface FormerLogin {
  readonly name: string;
  readonly passwordSealed: string;
}

/** One logical database: the customer's, in an instance of its own on one of our hosts. */
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
    /** What it was measured to take on disk, with its WAL. */
    storageBytes: integer("storage_bytes").notNull().default(0),
    /** What it may take before it grows; null until it first grew: its limits' number. */
    storageAllocatedBytes: integer("storage_allocated_bytes"),
    /** Where it stands below its ceiling. */
    storageState: text("storage_state", { enum: ["normal", "warning", "full"] })
      .notNull()
      .default("normal"),
    storageMeasuredAt: timeColumn("storage_measured_at"),
    hostId: text("host_id").notNull(),
    /** What clients call it, and its host; one of its name is on no other host. */
    databaseName: text("database_name").notNull().unique(),
    /** Who owns it and what is in it. */
    loginRole: text("login_role").notNull(),
    passwordSealed: text("password_sealed").notNull(),
    /** The login of a rotation that is under way, and its password. */
    pendingLoginRole: text("pending_login_role"),
    pendingPasswordSealed: text("pending_password_sealed"),
    /** Logins of former rotations that still work, the latest first. */
    formerLogins: text("former_logins", { mode: "json" })
      .$type<FormerLogin[]>()
      .notNull()
      .default([]),
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

/** A database nobody has asked for yet: complete, and given to the next who asks for one. */
export const spare = sqliteTable(
  "spare",
  {
    seq: seqColumn(),
    /** The database it becomes has the same, for which its password is sealed. */
    id: idColumn(),
    hostId: text("host_id").notNull(),
    databaseName: text("database_name").notNull().unique(),
    loginRole: text("login_role").notNull(),
    passwordSealed: text("password_sealed").notNull(),
    /** Backends its host keeps for it. */
    backends: integer("backends").notNull(),
    /** One that is `ready` answered a query by its URL; one that is `leaving` is being removed. */
    state: text("state", { enum: ["making", "ready", "leaving"] }).notNull(),
    ...timeColumns(),
  },
  (t) => [index("spare_of_host").on(t.hostId, t.state)],
);

/** One row of the table. */
export type SpareRow = typeof spare.$inferSelect;
