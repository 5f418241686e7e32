import { sql } from "drizzle-orm";
import { check, index, integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { idColumn, seqColumn, timeColumn, timeColumns } from "../core/column.ts";

/** The billing boundary: a platform. */
export const organization = sqliteTable(
  "organization",
  {
    seq: seqColumn(),
    id: idColumn(),
    name: text("name").notNull(),
    slug: text("slug").notNull().unique(),
    /** Projects it may have at once. */
    projectsMax: integer("projects_max").notNull(),
    /** Projects it has; moved in the batch that creates or deletes one. */
    projectsCount: integer("projects_count").notNull().default(0),
    /** By size, the numbers its plan puts in place of the published limits. */
    planLimits: text("plan_limits", { mode: "json" })
      .$type<Record<string, Record<string, number>>>()
      .notNull()
      .default({}),
    ...timeColumns(),
  },
  (t) => [check("organization_has_room", sql`${t.projectsCount} <= ${t.projectsMax}`)],
);

/** A customer of the platform. */
export const workspace = sqliteTable(
  "workspace",
  {
    seq: seqColumn(),
    id: idColumn(),
    organizationId: text("organization_id")
      .notNull()
      .references(() => organization.id),
    name: text("name").notNull(),
    slug: text("slug").notNull(),
    description: text("description"),
    externalWorkspaceId: text("external_workspace_id"),
    metadata: text("metadata", { mode: "json" }).$type<Record<string, unknown>>().notNull(),
    settings: text("settings", { mode: "json" }).$type<Record<string, unknown>>().notNull(),
    /** The one projects go to that name no workspace. */
    isDefault: integer("is_default", { mode: "boolean" }).notNull(),
    deletedAt: timeColumn("deleted_at"),
    ...timeColumns(),
  },
  (t) => [
    uniqueIndex("workspace_slug").on(t.organizationId, t.slug).where(sql`deleted_at is null`),
    uniqueIndex("workspace_external")
      .on(t.organizationId, t.externalWorkspaceId)
      .where(sql`deleted_at is null`),
    uniqueIndex("workspace_default").on(t.organizationId).where(sql`is_default = 1`),
    index("workspace_of_organization").on(t.organizationId, t.seq),
  ],
);

/** Kinds of keys, which differ in their prefix; `admin` ones may call `/admin`. */
export const keyTypes = ["user", "platform", "live", "admin"] as const;

/** One of them. */
export type KeyType = (typeof keyTypes)[number];

/** A key of the API; the key itself is shown once and kept as a hash. */
export const apiKey = sqliteTable(
  "api_key",
  {
    seq: seqColumn(),
    id: idColumn(),
    organizationId: text("organization_id")
      .notNull()
      .references(() => organization.id),
    workspaceId: text("workspace_id").references(() => workspace.id),
    name: text("name").notNull(),
    /** First 12 characters, to recognise it by. */
    keyPrefix: text("key_prefix").notNull(),
    /** SHA-256 in hex; the key holds 256 random bits, so a slow hash would add nothing. */
    keyHash: text("key_hash").notNull().unique(),
    scopes: text("scopes", { mode: "json" }).$type<string[]>().notNull(),
    isAdmin: integer("is_admin", { mode: "boolean" }).notNull(),
    rateLimitRpm: integer("rate_limit_rpm").notNull(),
    status: text("status", { enum: ["active", "revoked"] }).notNull(),
    expiresAt: timeColumn("expires_at"),
    /** Which prefix it has. */
    keyType: text("key_type", { enum: keyTypes }).notNull().default("user"),
    /** The caller's own word for what it is for. */
    purpose: text("purpose"),
    /** Networks in CIDR that it may be used from; anywhere when empty. */
    allowedNetworks: text("allowed_networks", { mode: "json" })
      .$type<readonly string[]>()
      .notNull()
      .default([]),
    /** Set when it sees only what is attributed to this user. */
    externalUserId: text("external_user_id"),
    /** The key that made it; null for the installation's own. */
    createdBy: text("created_by"),
    /** The keys it comes from, but for the installation's own: its calls count for them, too. */
    ancestors: text("ancestors", { mode: "json" }).$type<readonly string[]>().notNull().default([]),
    /** To the minute. */
    lastUsedAt: timeColumn("last_used_at"),
    ...timeColumns(),
  },
  (t) => [index("api_key_of_organization").on(t.organizationId, t.seq)],
);

/** A set of scopes an organization gave a name. */
export const keyPreset = sqliteTable(
  "key_preset",
  {
    seq: seqColumn(),
    id: idColumn(),
    organizationId: text("organization_id")
      .notNull()
      .references(() => organization.id),
    name: text("name").notNull(),
    description: text("description").notNull(),
    scopes: text("scopes", { mode: "json" }).$type<string[]>().notNull(),
    ...timeColumns(),
  },
  (t) => [uniqueIndex("key_preset_name").on(t.organizationId, t.name)],
);

/** What a key was before it was rotated, for as long as it works on. */
export const formerApiKey = sqliteTable(
  "former_api_key",
  {
    seq: seqColumn(),
    keyId: text("key_id")
      .notNull()
      .references(() => apiKey.id),
    keyHash: text("key_hash").notNull().unique(),
    expiresAt: timeColumn("expires_at").notNull(),
    createdAt: timeColumn("created_at").notNull(),
  },
  (t) => [index("former_api_key_of_key").on(t.keyId)],
);

/** A mutation under an `Idempotency-Key`: who runs it now, what it made, what was answered. */
export const idempotencyKey = sqliteTable(
  "idempotency_key",
  {
    seq: seqColumn(),
    organizationId: text("organization_id").notNull(),
    /** The API key that asked: its answers are given to nobody else. */
    keyId: text("key_id").notNull().default(""),
    /** The opaque text of the header. */
    key: text("key").notNull(),
    /** SHA-256 of method, path, workspace and body, in hex. */
    requestHash: text("request_hash").notNull(),
    /** Who executes it now: fences out one that lost its turn. */
    holder: text("holder").notNull(),
    lockedUntil: timeColumn("locked_until").notNull(),
    /** Path of what the request made, written in the batch that made it. */
    resourcePath: text("resource_path"),
    status: integer("status"),
    /** The answer, sealed: it may hold a credential. */
    bodySealed: text("body_sealed"),
    createdAt: timeColumn("created_at").notNull(),
  },
  (t) => [
    uniqueIndex("idempotency_key_of_key").on(t.keyId, t.key),
    index("idempotency_key_age").on(t.createdAt),
  ],
);

/** A stream somebody follows; one whose time has passed is gone. */
export const openStream = sqliteTable(
  "open_stream",
  {
    seq: seqColumn(),
    id: idColumn(),
    organizationId: text("organization_id").notNull(),
    keyId: text("key_id").notNull(),
    openUntil: timeColumn("open_until").notNull(),
    createdAt: timeColumn("created_at").notNull(),
  },
  (t) => [
    index("open_stream_of_organization").on(t.organizationId, t.openUntil),
    index("open_stream_of_key").on(t.keyId, t.openUntil),
    index("open_stream_age").on(t.openUntil),
  ],
);
