import { createRoute, z } from "@hono/zod-openapi";
import { router } from "../core/route.ts";
import { json } from "../core/schema.ts";
import { publishedKeys } from "./find.ts";

/** What anybody needs to check a certificate: no API key is asked for. */
export const certificateKeyRoutes = router();

const PublicKey = z.object({
  kty: z.literal("OKP"),
  crv: z.literal("Ed25519"),
  x: z.string(),
  kid: z.string(),
  use: z.literal("sig"),
  alg: z.literal("EdDSA"),
});

certificateKeyRoutes.openapi(
  createRoute({
    method: "get",
    path: "/.well-known/miosa-certificate-keys",
    operationId: "certificateKeys.list",
    summary: "The public keys that check restore certificates, as a JWK set",
    description: "A key that signed once stays here, also when another one signs by now.",
    tags: ["backups"],
    security: [],
    responses: {
      200: json("The keys", z.object({ keys: z.array(PublicKey) }).openapi("CertificateKeys")),
    },
  }),
  async (c) => {
    c.header("cache-control", "public, max-age=300");
    return c.json({ keys: await publishedKeys(c.var.context) }, 200);
  },
);
