import { createRoute, z } from "@hono/zod-openapi";
import type { Actor } from "../core/actor.ts";
import type { Context } from "../core/context.ts";
import { conflict } from "../core/error.ts";
import { driveMilliseconds, needs, router } from "../core/route.ts";
import { dataOf, errors, IdParameters, json, uuid } from "../core/schema.ts";
import { laneOf } from "../database/create.ts";
import { findDatabase, findRecoverable } from "../database/find.ts";
import { permit } from "../database/permit.ts";
import { ask } from "../host/ask.ts";
import { findHost } from "../host/find.ts";
import { commitExclusively } from "../operation/find.ts";
import { findDump, isDumpNamed } from "./find.ts";
import { linkTo } from "./link.ts";
import { findBackup, listBackups } from "./list.ts";
import { dumpName } from "./name.ts";
import { deleteDump } from "./remove.ts";
import { BackupLink, CreateBackup, DatabaseBackup, renderDump } from "./schema.ts";
import { beginDump, dumpResource, keptDays } from "./take.ts";

/** Backups of databases. */
export const backupRoutes = router();

const tags = ["backups"];
// No backup of any form has a longer name; what is unknown is 404.
const BackupParameters = IdParameters.extend({ backup_id: z.string().max(100) });
const optionalBody = {
  required: false,
  content: { "application/json": { schema: CreateBackup } },
};

backupRoutes.openapi(
  createRoute({
    method: "get",
    path: "/databases/{id}/backups",
    operationId: "backups.list",
    summary: "List the backups of a database, newest first",
    description: "Logical ones, made on demand, then the base backups its host takes by itself.",
    tags,
    security: needs("databases:read"),
    request: { params: IdParameters },
    responses: {
      200: json("The backups", z.object({ data: z.array(DatabaseBackup), total: z.int() })),
      ...errors(400, 401, 403, 404, 503),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const { row } = await findRecoverable(context, actor, c.req.valid("param").id);
    const data = await listBackups(context, row);
    return c.json({ data, total: data.length }, 200);
  },
);

backupRoutes.openapi(
  createRoute({
    method: "post",
    path: "/databases/{id}/backups",
    operationId: "backups.create",
    summary: "Back up one database now",
    description:
      "A logical dump, made by a role that reads everything. It can be restored and downloaded, " +
      `and is kept for ${keptDays} days, also when its database is deleted meanwhile.`,
    tags,
    security: needs("databases:write"),
    request: { params: IdParameters, body: optionalBody },
    responses: {
      201: json("The backup; over when its state says so", dataOf(DatabaseBackup)),
      ...errors(400, 401, 403, 404, 409, 422),
    },
  }),
  async (c) => {
    return c.json({ data: await backUp(c.var, c.req.valid("param").id, c.req.valid("json")) }, 201);
  },
);

backupRoutes.openapi(
  createRoute({
    method: "post",
    path: "/databases/{id}/backup",
    operationId: "backups.createOlder",
    summary: "Back up one database now, in an older spelling",
    tags,
    security: needs("databases:write"),
    request: { params: IdParameters, body: optionalBody },
    responses: {
      201: json("The backup", DatabaseBackup.extend({ backup_id: z.string() })),
      ...errors(400, 401, 403, 404, 409, 422),
    },
  }),
  async (c) => {
    const made = await backUp(c.var, c.req.valid("param").id, c.req.valid("json"));
    return c.json({ ...made, backup_id: made.id }, 201);
  },
);

interface Request {
  readonly context: Context;
  readonly actor: Actor;
  readonly requestId: string;
  readonly receipt: (path: string) => readonly Parameters<typeof commitExclusively>[2][number][];
}

async function backUp(
  { context, actor, requestId, receipt }: Request,
  databaseId: string,
  { name, retention_days: days = keptDays }: z.infer<typeof CreateBackup>,
) {
  const { row } = await findDatabase(context, actor, databaseId);
  await permit(context, row, "backup");
  const wanted = { name: name ?? null, days };
  const { dumpId, statements } = await beginDump(context, row, wanted, requestId);
  const path = `/databases/${row.id}/backups/${dumpName(dumpId)}`;
  await commitExclusively(context, [dumpResource(row.id)], [...statements, ...receipt(path)]);
  await context.drive(laneOf(row.projectId), driveMilliseconds);
  return renderDump(await findDump(context, actor, row.id, dumpName(dumpId)));
}

backupRoutes.openapi(
  createRoute({
    method: "get",
    path: "/databases/{id}/backups/{backup_id}",
    operationId: "backups.get",
    summary: "Get a backup",
    tags,
    security: needs("databases:read"),
    request: { params: BackupParameters },
    responses: {
      200: json("The backup", dataOf(DatabaseBackup)),
      ...errors(400, 401, 403, 404, 503),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const { id, backup_id: name } = c.req.valid("param");
    return c.json({ data: await findBackup(context, actor, id, name) }, 200);
  },
);

backupRoutes.openapi(
  createRoute({
    method: "delete",
    path: "/databases/{id}/backups/{backup_id}",
    operationId: "backups.delete",
    summary: "Delete a backup of one database; base backups go by themselves",
    tags,
    security: needs("databases:write"),
    request: { params: BackupParameters },
    responses: {
      204: { description: "It is gone" },
      ...errors(400, 401, 403, 404, 409, 503),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const { id, backup_id: name } = c.req.valid("param");
    await deleteDump(context, await findDump(context, actor, id, name));
    return c.body(null, 204);
  },
);

backupRoutes.openapi(
  createRoute({
    method: "post",
    path: "/databases/{id}/backups/{backup_id}/download",
    operationId: "backups.download",
    summary: "Get a link to a backup's archive, for pg_restore",
    description: "It opens for a quarter of an hour, to whoever has it, without an API key.",
    tags,
    // As credentials do: whoever has the archive has read the whole database.
    security: needs("databases:write"),
    request: { params: BackupParameters },
    responses: {
      200: json("The link", dataOf(BackupLink)),
      ...errors(400, 401, 403, 404, 409),
    },
  }),
  async (c) => {
    const { context, actor } = c.var;
    const { id, backup_id: name } = c.req.valid("param");
    const { path, expiresAt } = await linkTo(context, await findDump(context, actor, id, name));
    const { href: url } = new URL(path, c.req.url);
    return c.json({ data: { url, expires_at: expiresAt.toISOString() } }, 200);
  },
);

backupRoutes.openapi(
  createRoute({
    method: "delete",
    path: "/admin/hosts/{id}/dumps/{dump_id}",
    operationId: "dumps.remove",
    summary: "Remove an archive that no row names",
    tags: ["admin"],
    security: needs("admin:write"),
    request: { params: IdParameters.extend({ dump_id: uuid("is not a UUID") }) },
    responses: {
      204: { description: "It is gone" },
      ...errors(400, 401, 403, 404, 409, 503),
    },
  }),
  async (c) => {
    const { context } = c.var;
    const { id, dump_id } = c.req.valid("param");
    const host = await findHost(context, id);
    if (await isDumpNamed(context, dump_id)) {
      throw conflict("DUMP_IN_USE", "A backup has this archive: delete the backup.");
    }
    await ask(() => context.host.command(host.id, "dump.remove", { dump_id }));
    return c.body(null, 204);
  },
);
