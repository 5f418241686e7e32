import { createRoute, z } from "@hono/zod-openapi";
import { router } from "../core/route.ts";
import { errors } from "../core/schema.ts";
import { followLink } from "./link.ts";
import { dumpName } from "./name.ts";

/** Where signed links lead: these routes ask for no API key. */
export const downloadRoutes = router();

downloadRoutes.openapi(
  createRoute({
    method: "get",
    path: "/downloads/{name}",
    operationId: "backups.fetch",
    summary: "Download an archive by its signed link",
    tags: ["backups"],
    security: [],
    request: {
      params: z.object({ name: z.string().max(100) }),
      query: z.object({
        expires: z.string().max(20).default(""),
        signature: z.string().max(200).default(""),
      }),
    },
    responses: {
      200: {
        description: "The archive, in the custom format of pg_dump",
        content: {
          "application/octet-stream": { schema: z.string().openapi({ format: "binary" }) },
        },
      },
      ...errors(403, 404, 409, 422, 503),
    },
  }),
  async (c) => {
    const { name } = c.req.valid("param");
    const { row, archive } = await followLink(c.var.context, { name, ...c.req.valid("query") });
    const day = row.createdAt.toISOString().slice(0, 10);
    return new Response(archive.content, {
      headers: {
        "content-type": "application/octet-stream",
        "content-length": String(archive.bytes),
        "content-disposition": `attachment; filename="${dumpName(row.id)}-${day}.dump"`,
        "cache-control": "no-store",
      },
    });
  },
);
