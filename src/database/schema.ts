import { z } from "@hono/zod-openapi";
import { Network } from "../core/network.ts";
import { attributionAnswer, dataOf, errors, json, optional, Time } from "../core/schema.ts";
import type { PlacedDatabase } from "./find.ts";
import { databaseSizes, limitsOf } from "./size.ts";
import { databaseStates } from "./status.ts";
import type { DatabaseUrls } from "./url.ts";

/** The engine every database runs on, as its clients name it. */
const engineVersion = "17";

const megabyte = 1024 ** 2;

/** A database as it is answered; the union of what public clients read. */
export const Database = z
  .object({
    id: z.string(),
    tenant_id: z.string(),
    workspace_id: z.string(),
    project_id: z.string(),
    environment_id: z.string(),
    environment: z.string().openapi({ example: "production" }),
    name: z.string(),
    is_primary: z.boolean(),
    type: z.literal("postgres"),
    engine: z.literal("postgresql"),
    engine_version: z.string(),
    version: z.string(),
    size: z.enum(databaseSizes),
    state: z.enum(databaseStates),
    status: z.enum(databaseStates),
    cpu_count: z.int(),
    memory_mb: z.int(),
    storage_mb: z.int(),
    connections_max: z.int(),
    session_connections_max: z.int(),
    pool_size: z.int().openapi({ description: "Backends that serve the transaction port" }),
    storage: z.object({
      used_bytes: z.int(),
      allocated_bytes: z.int(),
      ceiling_bytes: z.int(),
      state: z.enum(["normal", "warning", "full"]),
      measured_at: Time.nullable(),
    }),
    suspend_after_seconds: z.int(),
    allowed_addresses: z.array(z.string()),
    region: z.string().openapi({ description: "Name of the host it is on" }),
    host: z.string(),
    port: z.int(),
    session_port: z.int(),
    database: z.string().openapi({ example: "proj_k3v9q2m7xw4r5t6yabcd" }),
    proxy_status: z.enum(["ready", "pending"]),
    connection_test: z
      .object({
        status: z.enum(["ok", "failed"]),
        host: z.string(),
        port: z.int(),
        reason: z.string().nullable(),
      })
      .nullable()
      .openapi({ description: "Whether its servers let clients in now; null while it is stopped" }),
    branch_of: z.string().nullable().openapi({ description: "What it was branched from" }),
    expires_at: Time.nullable().openapi({ description: "When a branch is deleted by itself" }),
    deletion_protection: z.boolean(),
    error_message: z.string().nullable(),
    ...attributionAnswer,
    purge_at: Time.nullable(),
    created_at: Time,
    updated_at: Time,
  })
  .openapi("Database");

/** A database as its deletion answers it. */
export const Deleted = Database.extend({ operation_id: z.string().nullable() }).openapi(
  "DeletedDatabase",
);

/** What its deletion answers. */
export const deletionResponses = {
  200: json("Out of reach, and gone for good at `purge_at`", dataOf(Deleted)),
  202: json("Still under way", dataOf(Deleted)),
  204: { description: "Gone for good" },
  ...errors(400, 401, 403, 404, 409, 422),
};

/** A database as its creation answers it: with its URLs, once they work. */
export const CreatedDatabase = Database.extend({
  operation_id: z.string().optional(),
  database_url: z.string().nullable(),
  database_url_session: z.string().nullable(),
}).openapi("CreatedDatabase");

const suspendProblem = "must be 0 for never, or a whole number of seconds from 5 to 604800";
const SuspendAfter = z
  .int(suspendProblem)
  .refine((seconds) => seconds === 0 || (seconds >= 5 && seconds <= 604_800), suspendProblem)
  .openapi({ type: "integer", minimum: 0, maximum: 604_800, not: { enum: [1, 2, 3, 4] } });

/** Networks and single addresses that may reach a database. */
export const AllowedAddresses = z
  .array(Network, "must be a list")
  .max(100, "must have at most 100 entries");

/** Body of `databases.update`. */
export const UpdateDatabase = z
  .strictObject({
    size: optional(z.enum(databaseSizes, `must be one of ${databaseSizes.join(", ")}`)),
    deletion_protection: optional(z.boolean("must be true or false")),
    suspend_after_seconds: optional(SuspendAfter).openapi({
      description:
        "Idle time after which no backend is left, or 0 for never; from 5 to 604800. The next " +
        "query wakes it. A session of the session port, or an open transaction, keeps it awake.",
      example: 300,
    }),
    allowed_addresses: optional(AllowedAddresses).openapi({
      description:
        "Networks or single addresses that new connections, HTTP requests and WebSockets may " +
        "come from; none is from everywhere.",
      example: ["203.0.113.0/24"],
    }),
  })
  .openapi("UpdateDatabase");

/** How to log in; the URL under every name a public client looks for. */
export const Credentials = z
  .object({
    url: z.string(),
    recommended_url: z.string(),
    database_url: z.string(),
    database_url_session: z.string(),
    database_http_url: z.string().openapi({
      description:
        "Where `@neondatabase/serverless` sends SQL: its `neonConfig.fetchEndpoint`. Its " +
        "`neonConfig.wsProxy` is the same without scheme, and with `/v2` in place of `/sql`; " +
        "`neonConfig.pipelineConnect` is false.",
    }),
    connection_string: z.string(),
    host: z.string(),
    port: z.int(),
    session_port: z.int(),
    user: z.string(),
    username: z.string(),
    password: z.string(),
    database: z.string(),
    dbname: z.string(),
  })
  .openapi("Credentials");

// Of what was just asked, else of the last look, which was within a minute.
function connectionTest({ host, problem = host.silentReason }: PlacedDatabase) {
  return { status: problem === null ? ("ok" as const) : ("failed" as const), reason: problem };
}

/** Renders a database. */
export function renderDatabase(found: PlacedDatabase): z.infer<typeof Database> {
  const { row, host: home } = found;
  const limits = limitsOf(row);
  const isRunning = row.state === "running" || row.state === "suspended";
  const state = row.state === "purged" ? "deleted" : row.state;
  const allocatedBytes = row.storageAllocatedBytes ?? limits.storageBytes;
  const [host, port] = [home.publicHost, home.transactionPort];
  return {
    id: row.id,
    tenant_id: row.organizationId,
    workspace_id: row.workspaceId,
    project_id: row.projectId,
    environment_id: row.environmentId,
    environment: row.environment,
    name: row.name,
    is_primary: row.isPrimary,
    type: "postgres",
    engine: "postgresql",
    engine_version: engineVersion,
    version: engineVersion,
    size: row.size,
    state,
    status: state,
    cpu_count: limits.cpuCount,
    memory_mb: limits.memoryBytes / megabyte,
    storage_mb: allocatedBytes / megabyte,
    connections_max: limits.connectionsMax,
    session_connections_max: limits.sessionConnectionsMax,
    pool_size: limits.poolSize,
    storage: {
      used_bytes: row.storageBytes,
      allocated_bytes: allocatedBytes,
      ceiling_bytes: limits.storageBytesMax,
      state: row.storageState,
      measured_at: row.storageMeasuredAt?.toISOString() ?? null,
    },
    suspend_after_seconds: row.suspendAfterSeconds,
    allowed_addresses: row.allowedAddresses,
    region: home.name,
    host,
    port,
    session_port: home.sessionPort,
    database: row.databaseName,
    proxy_status: isRunning ? "ready" : "pending",
    connection_test: isRunning ? { ...connectionTest(found), host, port } : null,
    branch_of: row.branchOf,
    expires_at: row.expiresAt?.toISOString() ?? null,
    deletion_protection: row.deletionProtection,
    error_message: row.errorMessage,
    external_workspace_id: row.externalWorkspaceId,
    external_user_id: row.externalUserId,
    external_project_id: row.externalProjectId,
    metadata: row.metadata,
    purge_at: row.purgeAt?.toISOString() ?? null,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}

/** Renders the answer of `credentials`. */
export function renderCredentials(urls: DatabaseUrls): z.infer<typeof Credentials> {
  return {
    url: urls.databaseUrl,
    recommended_url: urls.databaseUrl,
    connection_string: urls.databaseUrl,
    database_url: urls.databaseUrl,
    database_url_session: urls.databaseUrlSession,
    database_http_url: urls.databaseHttpUrl,
    host: urls.host,
    port: urls.port,
    session_port: urls.sessionPort,
    user: urls.user,
    username: urls.user,
    password: urls.password,
    database: urls.database,
    dbname: urls.database,
  };
}

/** Renders a database whose deletion has begun, or an undelete. */
export function renderDeletion(
  found: PlacedDatabase,
  operationId: string | null,
): z.infer<typeof Deleted> {
  return { ...renderDatabase(found), operation_id: operationId };
}
