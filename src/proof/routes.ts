import { createRoute, z } from "@hono/zod-openapi";
import { listEnvelope, pageOf } from "../core/page.ts";
import { needs, router } from "../core/route.ts";
import {
  body,
  dataOf,
  errors,
  IdParameters,
  json,
  listOf,
  optional,
  PageParameters,
  uuid,
} from "../core/schema.ts";
import { findRecoverable } from "../database/find.ts";
import { findHost } from "../host/find.ts";
import { findCertificate, listCertificates } from "./find.ts";
import { verifyNow } from "./schedule.ts";
import { Certificate, renderCertificate } from "./schema.ts";

/** Certificates, and what makes them. */
export const proofRoutes = router();

const tags = ["backups"];

proofRoutes.openapi(
  createRoute({
    method: "get",
    path: "/databases/{id}/certificates",
    operationId: "certificates.list",
    summary: "List the restore certificates of a database, newest first",
    description:
      "Each week every database is restored from the newest base backup, beside the live one, " +
      "and what came back is compared and checked. A database that was deleted keeps its own.",
    tags,
    security: needs("databases:read"),
    request: { params: IdParameters, query: PageParameters },
    responses: {
      200: json("A page of certificates", listOf(Certificate)),
      ...errors(400, 401, 403, 404, 422),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const { row } = await findRecoverable(context, actor, c.req.valid("param").id);
    const page = pageOf(c.req.valid("query"));
    const { rows, total } = await listCertificates(context, actor, row.id, page);
    return c.json(listEnvelope(page, rows, total, renderCertificate), 200);
  },
);

proofRoutes.openapi(
  createRoute({
    method: "get",
    path: "/certificates/{id}",
    operationId: "certificates.get",
    summary: "Get a restore certificate",
    description:
      "Signed: `npm run verify-certificate -- certificate.json keys.json` checks it offline.",
    tags,
    security: needs("databases:read"),
    request: { params: IdParameters },
    responses: {
      200: json("The certificate", dataOf(Certificate)),
      ...errors(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const row = await findCertificate(context, actor, c.req.valid("param").id);
    return c.json({ data: renderCertificate(row) }, 200);
  },
);

const NewVerification = z
  .strictObject({ database_id: optional(uuid()) })
  .openapi("NewVerification", {
    example: { database_id: "019a7c5e-8f00-7000-8000-000000000000" },
  });

const Begun = z
  .object({ operation_id: z.string(), verification_id: z.string() })
  .openapi("VerificationBegun");

proofRoutes.openapi(
  createRoute({
    method: "post",
    path: "/admin/hosts/{id}/verifications",
    operationId: "hosts.verify",
    summary: "Prove a host's backups now, by restoring from the newest",
    description:
      "Beside what runs by schedule, daily. Without `database_id`, of the databases that were " +
      "verified longest ago.",
    tags: ["admin"],
    security: needs("admin:write"),
    request: { params: IdParameters, body: body(NewVerification) },
    responses: {
      202: json("It has begun", dataOf(Begun)),
      ...errors(400, 401, 403, 404, 409, 422),
    },
  }),
  async (c) => {
    const { context } = c.var;
    const { id } = await findHost(context, c.req.valid("param").id);
    const { database_id: databaseId } = c.req.valid("json");
    const { operationId, verificationId } = await verifyNow(context, id, databaseId);
    return c.json({ data: { operation_id: operationId, verification_id: verificationId } }, 202);
  },
);
