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

/** Mounts `/openapi.json`; returns the document, made once from the schemas that validate. */
export function mountOpenapi(app: OpenAPIHono<ApiEnv>): () => ApiDocument {
  app.openAPIRegistry.registerComponent("securitySchemes", "apiKey", {
    type: "http",
    scheme: "bearer",
    bearerFormat: "msk_…",
  });
  let made: ApiDocument | undefined;
  const document = () => {
    made ??= app.getOpenAPI31Document(about);
    return made;
  };
  app.get("/openapi.json", (c) => c.json(document()));
  return document;
}
