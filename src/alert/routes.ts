import { createRoute, z } from "@hono/zod-openapi";
import { listEnvelope, pageOf } from "../core/page.ts";
import { needs, router } from "../core/route.ts";
import { errors, json, listOf, PageParameters } from "../core/schema.ts";
import { listAlerts } from "./find.ts";
import { Alert, renderAlert } from "./schema.ts";
import { alertKinds } from "./table.ts";

/** `/admin/alerts`: the operator's. */
export const alertRoutes = router();

const about = `An alert resolves itself once its cause is gone; \`state=all\` shows those too.

- \`operation_overdue\`: past its deadline and past its point of no return; it is retried.
- \`undo_failing\`: past its deadline, and cannot be taken back yet; it is retried.
- \`dead_nudge\`: messages for a lane were given up, or named no lane.
- \`database_missing\`: a row's database is not on its host; it is never made anew.
- \`repair_failed\`: a database is not what its row says, and stays so; it is tried each minute.
- \`archive_late\`: WAL of a database waits to be archived, or a host's to be copied to the store.
- \`backup_failed\`: a base backup of a database failed, or none was taken for too long.
- \`backup_damaged\`: a restore, or a look at it, met a damaged or missing file of a base backup or
  its WAL; others stand in where they can, until it has expired.
- \`verification_failed\`: a database did not come back whole from a backup, or none was looked at.
- \`orphan\`: no row names a database of a host; it goes on as it is, and is never removed by
  itself. After MIOSA_ORPHAN_DAYS it is stopped, which is the trash of its host, unless more than
  three are orphans, or repairs are held.
- \`orphan_dump\`: a host keeps an archive no row names; it stays until a person removes it.
- \`repairs_held\`: nothing is repaired or removed by itself; \`GET /admin/hold\` says why.
- \`host_silent\`: a host does not answer; the message names what of it.
- \`host_is_another\`: another host answers where one was registered.
- \`server_failed\`: a program of a host crashed, hung, was halted or ran out of memory; for a day.
- \`worker_restarted\`: the Worker's runtime was started again; told for a day.
- \`disk_nearly_full\`: a tenth of a host's disk is left; no database is placed there.
- \`protocol_differs\`: a host and this Worker are one version apart; they work together.`;

const Filter = PageParameters.extend({
  state: z.enum(["open", "resolved", "all"]).default("open"),
  kind: z.enum(alertKinds).optional(),
});

alertRoutes.openapi(
  createRoute({
    method: "get",
    path: "/admin/alerts",
    operationId: "alerts.list",
    summary: "List what an operator should look at, newest first",
    description: about,
    tags: ["admin"],
    security: needs("admin:read"),
    request: { query: Filter },
    responses: { 200: json("A page of alerts", listOf(Alert)), ...errors(401, 403, 422) },
  }),
  async (c) => {
    const { context } = c.var;
    const { state, kind, ...query } = c.req.valid("query");
    const page = pageOf(query);
    const { rows, total } = await listAlerts(context, { state, kind }, page);
    return c.json(listEnvelope(page, rows, total, renderAlert), 200);
  },
);
