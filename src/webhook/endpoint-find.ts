import { and, count, desc, eq, lt } from "drizzle-orm";
import type { Actor } from "../core/actor.ts";
import type { Context } from "../core/context.ts";
import { notFound } from "../core/error.ts";
import type { PageRequest } from "../core/page.ts";
import { type WebhookRow, webhook } from "./table.ts";

function visibleTo(actor: Actor) {
  return and(
    eq(webhook.organizationId, actor.organizationId),
    actor.workspaceId === null ? undefined : eq(webhook.workspaceId, actor.workspaceId),
  );
}

/** @throws ApiError 404 also when it is somebody else's */
export async function findWebhook(context: Context, actor: Actor, id: string): Promise<WebhookRow> {
  const [row] = await context.db
    .select()
    .from(webhook)
    .where(and(visibleTo(actor), eq(webhook.id, id)));
  if (row === undefined) throw notFound("webhook");
  return row;
}

/** A page of endpoints, newest first, and how many there are. */
export async function listWebhooks(context: Context, actor: Actor, page: PageRequest) {
  const before = page.beforeSeq === null ? undefined : lt(webhook.seq, page.beforeSeq);
  const [rows, totals] = await context.db.batch([
    context.db
      .select()
      .from(webhook)
      .where(and(visibleTo(actor), before))
      .orderBy(desc(webhook.seq))
      .limit(page.limit)
      .offset(page.offset),
    context.db.select({ total: count() }).from(webhook).where(visibleTo(actor)),
  ]);
  return { rows, total: totals[0]?.total ?? 0 };
}

/** How many endpoints an organization has. */
export async function countWebhooks(context: Context, organizationId: string): Promise<number> {
  const [row] = await context.db
    .select({ n: count() })
    .from(webhook)
    .where(eq(webhook.organizationId, organizationId));
  return row?.n ?? 0;
}
