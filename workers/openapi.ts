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
  security: [{ apiKey: [] }],
};

/** `/openapi.json`, made once from the schemas that validate. */
export function mountDocuments(app: OpenAPIHono<ApiEnv>): void {
  app.openAPIRegistry.registerComponent("securitySchemes", "apiKey", {
    type: "http",
    scheme: "bearer",
    bearerFormat: "msk_…",
  });
  let document: unknown;
  app.get("/openapi.json", (c) => {
    document ??= app.getOpenAPI31Document(about);
    return c.json(document);
  });
}
