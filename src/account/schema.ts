import { z } from "@hono/zod-openapi";
import { Description, Label, Metadata, Slug, Time } from "../core/schema.ts";
import type { WorkspaceRow } from "./find.ts";

/** A workspace as it is answered. */
export const Workspace = z
  .object({
    id: z.string(),
    tenant_id: z.string(),
    name: z.string(),
    slug: z.string(),
    description: z.string().nullable(),
    external_workspace_id: z.string().nullable(),
    is_default: z.boolean(),
    metadata: z.record(z.string(), z.unknown()),
    settings: z.record(z.string(), z.unknown()),
    created_at: Time,
    updated_at: Time,
  })
  .openapi("Workspace");

/** Body of `workspaces.create`. */
export const CreateWorkspace = z
  .strictObject({
    name: Label,
    slug: Slug.optional(),
    description: Description.nullish(),
    external_workspace_id: Label.nullish(),
    metadata: Metadata.optional(),
    allow_duplicate_name: z.boolean("must be true or false").optional(),
  })
  .openapi("CreateWorkspace");

/**
 * A workspace under `data`, and beside it once more: some clients read the one, some the other.
 */
export const WorkspaceAnswer = Workspace.extend({
  data: Workspace,
  reused: z.boolean().optional(),
}).openapi("WorkspaceAnswer");

/** Renders it. */
export function renderAnswer(row: WorkspaceRow): z.infer<typeof WorkspaceAnswer> {
  const data = renderWorkspace(row);
  return { ...data, data };
}

/** `meta` of a list that public clients page by. */
export const ListMeta = z
  .object({
    page: z.int(),
    page_size: z.int(),
    per_page: z.int().openapi({ description: "The same as `page_size`" }),
    total: z.int(),
    next_cursor: z.string().nullable(),
  })
  .openapi("ListMeta");

/** Body of `workspaces.update`. */
export const UpdateWorkspace = z
  .strictObject({
    name: Label.optional(),
    slug: Slug.optional(),
    description: Description.nullish(),
    metadata: Metadata.optional(),
    settings: Metadata.optional(),
  })
  .openapi("UpdateWorkspace");

/** Renders a row. */
export function renderWorkspace(row: WorkspaceRow): z.infer<typeof Workspace> {
  return {
    id: row.id,
    tenant_id: row.organizationId,
    name: row.name,
    slug: row.slug,
    description: row.description,
    external_workspace_id: row.externalWorkspaceId,
    is_default: row.isDefault,
    metadata: row.metadata,
    settings: row.settings,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}
