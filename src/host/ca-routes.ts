import { createRoute, z } from "@hono/zod-openapi";
import { router } from "../core/route.ts";
import { allHosts } from "./find.ts";

/** What anybody needs for `sslmode=verify-full`: no API key is asked for. */
export const caRoutes = router();

caRoutes.openapi(
  createRoute({
    method: "get",
    path: "/.well-known/miosa-ca.pem",
    operationId: "hosts.ca",
    summary: "Who vouches for the hosts' certificates, in PEM",
    description:
      "For `sslmode=verify-full&sslrootcert=miosa-ca.pem`. Empty when every host's " +
      "certificate is from an authority that systems know: then it is `sslrootcert=system`.",
    tags: ["databases"],
    security: [],
    responses: {
      200: {
        description: "The certificates",
        content: { "application/x-pem-file": { schema: z.string() } },
      },
    },
  }),
  async (c) => {
    const hosts = await allHosts(c.var.context);
    const texts = hosts.flatMap(({ caCertificates }) => caCertificates?.trim() ?? []);
    c.header("cache-control", "public, max-age=300");
    c.header("content-type", "application/x-pem-file");
    return c.body([...new Set(texts)].map((text) => `${text}\n`).join(""), 200);
  },
);
