import { createRoute, z } from "@hono/zod-openapi";
import { invalid } from "../core/error.ts";
import { listEnvelope, pageOf } from "../core/page.ts";
import { needs, router } from "../core/route.ts";
import {
  body,
  dataOf,
  errors,
  flag,
  IdParameters,
  json,
  Label,
  listOf,
  optional,
  PageParameters,
} from "../core/schema.ts";
import { isForOneUser, userScopes } from "../core/scope.ts";
import { findKey, listKeys } from "./find-key.ts";
import { createKey, revokeKey, rotateKey, scopesDefault, updateKey } from "./key.ts";
import { createPreset, deletePreset, type Preset as KeyPreset, listPresets } from "./key-preset.ts";
import {
  ApiKey,
  CreateApiKey,
  CreateScopedApiKey,
  expiryOf,
  renderKey,
  renderShownKey,
  Scopes,
  ShownApiKey,
  UpdateApiKey,
} from "./key-schema.ts";

/** `/api-keys`. */
export const keyRoutes = router();

const tags = ["api-keys"];
const overlapSecondsDefault = 3600;
const overlapSecondsMax = 7 * 86_400;

keyRoutes.openapi(
  createRoute({
    method: "post",
    path: "/api-keys",
    operationId: "apiKeys.create",
    summary: "Create an API key",
    description:
      `The key is shown once. Without \`scopes\` it gets ${scopesDefault.join(", ")}; without ` +
      "`rate_limit_rpm` 600 requests a minute. No key can give more than it has: scopes, " +
      "workspace, allowed addresses, expiry, rate.",
    tags,
    security: needs("api_keys:write"),
    request: { body: body(CreateApiKey) },
    responses: {
      201: json("The new key", dataOf(ShownApiKey)),
      ...errors(400, 401, 403, 404, 413, 422),
    },
  }),
  async (c) => {
    const { context, actor, receipt } = c.var;
    const input = c.req.valid("json");
    const made = await createKey(
      context,
      actor,
      {
        name: input.name,
        keyType: input.key_type ?? "user",
        purpose: input.purpose ?? input.key_purpose,
        scopes: input.scopes,
        expiresAt: expiryOf(input, context.now()),
        workspaceId: input.workspace_id,
        allowedNetworks: input.allowed_ips,
        rateLimitRpm: input.rate_limit_rpm,
      },
      receipt,
    );
    return c.json({ data: renderShownKey(made, context.now()) }, 201);
  },
);

keyRoutes.openapi(
  createRoute({
    method: "post",
    path: "/api-keys/scoped",
    operationId: "apiKeys.createScoped",
    summary: "Create an API key for one external user",
    description:
      "It sees and changes only projects and databases whose `external_user_id` is the same; " +
      "all others are 404, and what it creates is attributed to that user.",
    tags,
    security: needs("api_keys:write"),
    request: { body: body(CreateScopedApiKey) },
    responses: {
      201: json("The new key", dataOf(ShownApiKey)),
      ...errors(400, 401, 403, 404, 413, 422),
    },
  }),
  async (c) => {
    const { context, actor, receipt } = c.var;
    const input = c.req.valid("json");
    const senseless = (input.scopes ?? []).filter((scope) => !isForOneUser(scope));
    if (senseless.length > 0) {
      const possible = userScopes.join(", ");
      throw invalid("scopes", `${senseless.join(", ")} is not for one user; possible: ${possible}`);
    }
    const made = await createKey(
      context,
      actor,
      {
        name: input.label ?? input.name ?? input.external_user_id,
        keyType: "user",
        scopes: input.scopes,
        expiresAt: expiryOf(input, context.now()),
        workspaceId: input.workspace_id,
        allowedNetworks: input.allowed_ips,
        rateLimitRpm: input.rate_limit_rpm,
        externalUserId: input.external_user_id,
      },
      receipt,
    );
    return c.json({ data: renderShownKey(made, context.now()) }, 201);
  },
);

const PresetName = z
  .string("must be text")
  .regex(/^[a-z0-9][a-z0-9_-]{0,39}$/, "must be 1-40 of a-z, 0-9, _ and -");

const Preset = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string(),
  scopes: z.array(z.string()),
});

keyRoutes.openapi(
  createRoute({
    method: "get",
    path: "/api-keys/presets",
    operationId: "apiKeys.presets",
    summary: "List sets of scopes that are often wanted together",
    tags,
    security: needs("api_keys:read"),
    responses: { 200: json("The presets", dataOf(z.array(Preset))), ...errors(401, 403) },
  }),
  async (c) => {
    const { context, actor } = c.var;
    return c.json({ data: (await listPresets(context, actor)).map(renderPreset) }, 200);
  },
);

const CreatePreset = z
  .strictObject({ name: PresetName, description: optional(Label), scopes: Scopes })
  .openapi("CreatePreset", { example: { name: "ci", scopes: ["projects:read"] } });

keyRoutes.openapi(
  createRoute({
    method: "post",
    path: "/api-keys/presets",
    operationId: "apiKeys.createPreset",
    summary: "Give a set of scopes a name",
    tags,
    security: needs("api_keys:write"),
    request: { body: body(CreatePreset) },
    responses: {
      201: json("The preset", dataOf(Preset)),
      ...errors(400, 401, 403, 409, 413, 422),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const { name, description = "", scopes } = c.req.valid("json");
    const made = await createPreset(context, actor, { name, description, scopes });
    return c.json({ data: renderPreset(made) }, 201);
  },
);

keyRoutes.openapi(
  createRoute({
    method: "delete",
    path: "/api-keys/presets/{name}",
    operationId: "apiKeys.deletePreset",
    summary: "Delete a preset of one's own; keys made with it keep their scopes",
    tags,
    security: needs("api_keys:write"),
    request: { params: z.object({ name: PresetName }) },
    responses: { 204: { description: "It is gone" }, ...errors(401, 403, 404, 409, 422) },
  }),
  async (c) => {
    const { context, actor } = c.var;
    await deletePreset(context, actor, c.req.valid("param").name);
    return c.body(null, 204);
  },
);

function renderPreset({ scopes, ...preset }: KeyPreset): z.infer<typeof Preset> {
  return { ...preset, scopes: [...scopes] };
}

const Filter = PageParameters.extend({
  status: z
    .enum(["active", "expired", "revoked"], "must be active, expired or revoked")
    .optional()
    .openapi({ description: "Without it, all that are not revoked" }),
  external_user_id: z.string().max(200).optional(),
});

keyRoutes.openapi(
  createRoute({
    method: "get",
    path: "/api-keys",
    operationId: "apiKeys.list",
    summary: "List API keys, newest first",
    tags,
    security: needs("api_keys:read"),
    request: { query: Filter },
    responses: { 200: json("A page of keys", listOf(ApiKey)), ...errors(401, 403, 422) },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const query = c.req.valid("query");
    const page = pageOf(query);
    const filter = { status: query.status, externalUserId: query.external_user_id };
    const { rows, total } = await listKeys(context, actor, filter, page);
    const now = context.now();
    return c.json(
      listEnvelope(page, rows, total, (row) => renderKey(row, now)),
      200,
    );
  },
);

keyRoutes.openapi(
  createRoute({
    method: "get",
    path: "/api-keys/{id}",
    operationId: "apiKeys.get",
    summary: "Get an API key, without the key itself",
    tags,
    security: needs("api_keys:read"),
    request: { params: IdParameters },
    responses: { 200: json("The key", dataOf(ApiKey)), ...errors(400, 401, 403, 404) },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const row = await findKey(context, actor, c.req.valid("param").id);
    return c.json({ data: renderKey(row, context.now()) }, 200);
  },
);

keyRoutes.openapi(
  createRoute({
    method: "patch",
    path: "/api-keys/{id}",
    operationId: "apiKeys.update",
    summary: "Change an API key",
    description: "Another limit counts within a minute, everything else from the next request on.",
    tags,
    security: needs("api_keys:write"),
    request: { params: IdParameters, body: body(UpdateApiKey) },
    responses: { 200: json("The key", dataOf(ApiKey)), ...errors(400, 401, 403, 404, 409, 422) },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const { id } = c.req.valid("param");
    const input = c.req.valid("json");
    const row = await findKey(context, actor, id);
    const senseless = row.externalUserId !== null && input.scopes?.find((it) => !isForOneUser(it));
    if (senseless) throw invalid("scopes", `${senseless} is not for one user.`);
    await updateKey(context, actor, row, {
      name: input.name,
      purpose: input.purpose,
      scopes: input.scopes,
      expiresAt: input.expires_at,
      allowedNetworks: input.allowed_ips,
      rateLimitRpm: input.rate_limit_rpm,
    });
    return c.json({ data: renderKey(await findKey(context, actor, id), context.now()) }, 200);
  },
);

const Rotate = z.strictObject({
  overlap_seconds: z
    .int("must be a whole number of seconds")
    .min(0, "must not be negative")
    .max(overlapSecondsMax, `must be at most ${overlapSecondsMax}`)
    .optional(),
});

keyRoutes.openapi(
  createRoute({
    method: "post",
    path: "/api-keys/{id}/rotate",
    operationId: "apiKeys.rotate",
    summary: "Replace the key itself",
    description:
      "The answer shows the new one, once. The former one works on for `overlap_seconds` " +
      `(default ${overlapSecondsDefault}, at most ${overlapSecondsMax}); with 0 it ends at once.`,
    tags,
    security: needs("api_keys:write"),
    request: {
      params: IdParameters,
      body: body(Rotate),
    },
    responses: {
      200: json("The key, with the new one", dataOf(ShownApiKey)),
      ...errors(400, 401, 403, 404, 409, 422),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const row = await findKey(context, actor, c.req.valid("param").id);
    const { overlap_seconds: overlap = overlapSecondsDefault } = c.req.valid("json") ?? {};
    const rotated = await rotateKey(context, actor, row, overlap);
    return c.json({ data: renderShownKey(rotated, context.now()) }, 200);
  },
);

keyRoutes.openapi(
  createRoute({
    method: "delete",
    path: "/api-keys/{id}",
    operationId: "apiKeys.delete",
    summary: "Revoke an API key, at once",
    tags,
    security: needs("api_keys:write"),
    request: {
      params: IdParameters,
      query: z.object({
        own: z.enum(["true", "false"], "must be true or false").optional().openapi({
          description: "Needed to revoke the key that calls",
        }),
        descendants: flag.openapi({
          type: "boolean",
          description: "Revokes every key that was made with it as well, and with those",
        }),
      }),
    },
    responses: { 204: { description: "Revoked" }, ...errors(400, 401, 403, 404, 409, 422) },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const row = await findKey(context, actor, c.req.valid("param").id);
    const { own, descendants = false } = c.req.valid("query");
    await revokeKey(context, actor, row, {
      includingOwn: own === "true",
      includingDescendants: descendants,
    });
    return c.body(null, 204);
  },
);
