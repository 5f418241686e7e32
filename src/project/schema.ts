import { z } from "@hono/zod-openapi";
import type { WorkspaceSelector } from "../account/find.ts";
import {
  attributionAnswer,
  attributionFields,
  Description,
  Label,
  Metadata,
  optional,
  Slug,
  Time,
  uuid,
  wholeNumber,
} from "../core/schema.ts";
import { CreatedDatabase, Database } from "../database/schema.ts";
import { type DatabaseSize, databaseSizes } from "../database/size.ts";
import type { ProjectRow } from "./table.ts";

/** `small`, `medium` or `large`. */
const Size = z.enum(databaseSizes, `must be one of ${databaseSizes.join(", ")}`);

// `starter` is what an example of a public client calls the smallest.
const Plan = z
  .enum([...databaseSizes, "starter"], `must be one of ${databaseSizes.join(", ")}`)
  .transform((plan) => (plan === "starter" ? "small" : plan));

const Postgres = z.union(
  [z.boolean(), z.strictObject({ size: optional(Size) })],
  `must be true, or { "size": "${databaseSizes.join('" | "')}" }`,
);

const workspaceSelectors = {
  workspace_id: optional(uuid()),
  workspace_slug: optional(Slug),
  external_workspace_id: optional(Label),
  /** Of the workspace an unknown `external_workspace_id` makes. */
  workspace_name: optional(Label),
};

/** Body of `projects.create`. */
export const CreateProject = z
  .strictObject({
    name: Label,
    slug: optional(Slug),
    description: Description.nullish(),
    settings: optional(Metadata),
    ...attributionFields,
    ...workspaceSelectors,
    data: optional(z.strictObject({ postgres: optional(Postgres) }, "must be an object")),
  })
  .openapi("CreateProject", { example: { name: "Smile Dental", data: { postgres: true } } });

/** Body of `projects.update`. */
export const UpdateProject = z
  .strictObject({
    name: Label.optional(),
    slug: Slug.optional(),
    description: Description.nullish(),
    metadata: Metadata.optional(),
    settings: Metadata.optional(),
  })
  .openapi("UpdateProject");

/** A project as it is answered. */
export const Project = z
  .object({
    id: z.string(),
    tenant_id: z.string(),
    workspace_id: z.string(),
    name: z.string(),
    slug: z.string(),
    description: z.string().nullable(),
    state: z.enum(["active", "deleting", "deleted"]),
    settings: z.record(z.string(), z.unknown()),
    ...attributionAnswer,
    purge_at: Time.nullable(),
    created_at: Time,
    updated_at: Time,
  })
  .openapi("Project");

/** A project with its databases. */
export const ProjectWithDatabases = Project.extend({ databases: z.array(Database) }).openapi(
  "ProjectWithDatabases",
);

/** A new project, with the URLs of its databases. */
export const CreatedProject = Project.extend({ databases: z.array(CreatedDatabase) }).openapi(
  "CreatedProject",
);

const name = z
  .string("must be text")
  .regex(
    /^[a-z][a-z0-9_-]{0,39}$/i,
    "must be 1-40 of letters, digits, _ and -, and begin with a letter: it names a variable",
  )
  .transform((text) => text.toLowerCase());

/** Body of `dataServices.create`. */
export const CreateDataService = z
  .strictObject({
    type: z.enum(["postgres", "postgresql"], 'must be "postgres"'),
    size: optional(Size),
    environment: optional(Label),
    name: optional(name),
    metadata: optional(Metadata),
  })
  .openapi("CreateDataService", { example: { type: "postgres", size: "small" } });

const countMax = 10_000_000;

// What clients say of the engine makes no difference here, and is read by nobody.
const unused = optional(z.union([z.string().max(200), z.number().min(0).max(1_000_000_000)]));

// Clients ask for what they know; every database has the newest of these.
const versions = ["14", "15", "16", "17", "latest"] as const;
const EngineVersion = optional(
  z.union([z.enum(versions), z.int().min(14).max(17)], {
    error: `must be one of ${versions.join(", ")}: a database runs the newest`,
  }),
);

/** Body of `databases.create`: the union of what public clients send. */
export const CreateDatabase = z
  .strictObject({
    name: optional(name),
    engine: optional(z.enum(["postgres", "postgresql"], 'must be "postgresql"')),
    size: optional(Size),
    plan: optional(Plan),
    engine_version: EngineVersion,
    version: EngineVersion,
    region: unused,
    cpu_count: optional(wholeNumber(countMax)),
    memory_mb: optional(wholeNumber(countMax)),
    storage_mb: optional(wholeNumber(countMax)),
    size_gb: optional(wholeNumber(Math.floor(countMax / 1024))),
    project_id: optional(uuid()),
    environment_id: optional(uuid()),
    environment: optional(Label),
    ...attributionFields,
    ...workspaceSelectors,
  })
  .openapi("CreateDatabase");

/** How a body may name a workspace. */
export interface WorkspaceReference {
  readonly workspace_id?: string | undefined;
  readonly workspace_slug?: string | undefined;
  readonly external_workspace_id?: string | undefined;
}

/** The workspace a body names, or null. */
export function workspaceOf(body: WorkspaceReference): WorkspaceSelector | null {
  if (body.workspace_id !== undefined) return { id: body.workspace_id };
  if (body.workspace_slug !== undefined) return { slug: body.workspace_slug };
  const { external_workspace_id: externalWorkspaceId } = body;
  return externalWorkspaceId === undefined ? null : { externalWorkspaceId };
}

/** The size `data` asks for, or null for no Postgres. */
export function postgresOf(data: z.infer<typeof CreateProject>["data"]): DatabaseSize | null {
  const postgres = data?.postgres ?? false;
  if (typeof postgres === "boolean") return postgres ? "small" : null;
  return postgres.size ?? "small";
}

/** A project as its deletion answers it. */
export const Deleted = Project.extend({ operation_id: z.string().nullable() }).openapi(
  "DeletedProject",
);

/** Renders a row. */
export function renderProject(row: ProjectRow): z.infer<typeof Project> {
  return {
    id: row.id,
    tenant_id: row.organizationId,
    workspace_id: row.workspaceId,
    name: row.name,
    slug: row.slug,
    description: row.description,
    state: row.state === "purged" ? "deleted" : row.state,
    settings: row.settings,
    external_workspace_id: row.externalWorkspaceId,
    external_user_id: row.externalUserId,
    external_project_id: row.externalProjectId,
    metadata: row.metadata,
    purge_at: row.purgeAt?.toISOString() ?? null,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}
