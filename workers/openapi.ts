import type { OpenAPIHono } from "@hono/zod-openapi";
import type { ApiEnv } from "./api.ts";

const about = {
  openapi: "3.1.0",
  info: {
    title: "MIOSA Postgres",
    version: "1.0.0",
    description: "Managed Postgres for platforms: one API call gives a project a database.",
    license: { name: "Apache-2.0", identifier: "Apache-2.0" },
  },
  servers: [{ url: "/" }],
  security: [{ apiKey: [] }],
};

/** The OpenAPI document. */
export type ApiDocument = ReturnType<OpenAPIHono<ApiEnv>["getOpenAPI31Document"]>;

const methods = ["get", "post", "put", "patch", "delete"] as const;
const uuidText = { type: "string", format: "uuid" } as const;

/** Headers that every call takes, and the key that every call that changes something does. */
const headers = {
  tenant: {
    name: "X-MIOSA-Tenant",
    in: "header",
    schema: uuidText,
    description: "The organization that is meant: the API key's own, or the call is refused",
  },
  workspace: {
    name: "X-Miosa-Workspace",
    in: "header",
    schema: { type: "string", minLength: 1, maxLength: 200 },
    description: "Id or slug of the workspace that is meant, where the call names none",
  },
  idempotency: {
    name: "Idempotency-Key",
    in: "header",
    schema: { type: "string", minLength: 1, maxLength: 255 },
    description: "Repeated within a day with the same request, it gets the first one's answer",
  },
} as const;

/**
 * Adds to each call of the API what stands before all of them: headers, and the refusal of a query
 * parameter, a field or a header that the call does not know.
 */
function withShared(document: ApiDocument): ApiDocument {
  for (const [path, item] of Object.entries(document.paths ?? {})) {
    if (!path.startsWith("/api/")) continue;
    for (const method of methods) {
      const call = item[method];
      if (call === undefined) continue;
      const refused = call.responses?.["401"] as { content?: object } | undefined;
      const unknown = { ...refused, description: "A field or parameter is wrong or not known" };
      if (call.responses !== undefined) call.responses["422"] ??= unknown;
      const own = method === "get" ? [] : [headers.idempotency];
      call.parameters = [...(call.parameters ?? []), headers.tenant, headers.workspace, ...own];
    }
  }
  return document;
}

/** Mounts `/openapi.json`; returns the document, made once from the schemas that validate. */
export function mountOpenapi(app: OpenAPIHono<ApiEnv>): () => ApiDocument {
  app.openAPIRegistry.registerComponent("securitySchemes", "apiKey", {
    type: "http",
    scheme: "bearer",
    bearerFormat: "msk_…",
  });
  let made: ApiDocument | undefined;
  const document = () => {
    made ??= withShared(app.getOpenAPI31Document(about));
    return made;
  };
  app.get("/openapi.json", (c) => c.json(document()));
  return document;
}
