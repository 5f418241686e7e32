import { eq, sql } from "drizzle-orm";
import { findWorkspace } from "../account/find.ts";
import type { Actor } from "../core/actor.ts";
import { commit } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { ApiError } from "../core/error.ts";
import { newId } from "../core/id.ts";
import type { Receipt } from "../core/route.ts";
import { countWebhooks } from "./endpoint-find.ts";
import { requireScopable } from "./filter.ts";
import { laneOfWebhook } from "./lane.ts";
import { requireTarget } from "./resolve.ts";
import { makeSecret, sealHeaders, sealSecret } from "./secret.ts";
import { event, type WebhookRow, webhook } from "./table.ts";

// Every change of an organization wakes each of its endpoints that listens.
const webhooksMax = 100;

/** What may be said of an endpoint; what is undefined is as before, or as by default. */
export interface WebhookFields {
  readonly url?: string | undefined;
  readonly events?: readonly string[] | undefined;
  readonly name?: string | null | undefined;
  readonly description?: string | null | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly retryCount?: number | undefined;
  readonly metadata?: Record<string, unknown> | undefined;
  readonly isActive?: boolean | undefined;
}

/** An endpoint to be. */
export interface NewWebhook extends WebhookFields {
  readonly url: string;
  readonly secret?: string | undefined;
  readonly workspaceId?: string | undefined;
}

/** Creates an endpoint, which is told of what happens from now on; its secret is shown once. */
export async function createWebhook(
  context: Context,
  actor: Actor,
  input: NewWebhook,
  receipt: Receipt,
): Promise<{ readonly id: string; readonly secret: string }> {
  const workspaceId = await workspaceOf(context, actor, input.workspaceId);
  const events = [...new Set(input.events ?? [])];
  if (workspaceId !== null) requireScopable(events);
  await requireTarget(context, input.url);
  await requireRoom(context, actor);
  const [id, now] = [newId(context), context.now()];
  const secret = input.secret ?? makeSecret(context);
  const values = {
    id,
    organizationId: actor.organizationId,
    workspaceId,
    name: input.name ?? null,
    description: input.description ?? null,
    url: input.url,
    events,
    state: input.isActive === false ? ("inactive" as const) : ("active" as const),
    ...(await sealHeaders(context, id, input.headers ?? {})),
    ...(await sealSecret(context, id, secret)),
    retryCount: input.retryCount ?? 3,
    eventSeq: sql<number>`(select coalesce(max(${event.seq}), 0) from ${event})`,
    metadata: input.metadata ?? {},
    createdAt: now,
    updatedAt: now,
  };
  const inserted = context.db.insert(webhook).values(values);
  await commit(context, [inserted, ...receipt(`/webhooks/${id}`)]);
  return { id, secret };
}

/** Changes what is given. An endpoint that is active again starts without former failures. */
export async function updateWebhook(
  context: Context,
  row: WebhookRow,
  { headers, isActive, events, ...fields }: WebhookFields,
): Promise<void> {
  if (fields.url !== undefined) await requireTarget(context, fields.url);
  if (row.workspaceId !== null) requireScopable(events ?? []);
  const revived = { state: "active", failureCount: 0, failingSince: null } as const;
  const state = isActive ? revived : { state: "inactive" as const };
  const changed = context.db
    .update(webhook)
    .set({
      ...fields,
      ...(events === undefined ? {} : { events: [...new Set(events)] }),
      ...(headers === undefined ? {} : await sealHeaders(context, row.id, headers)),
      ...(isActive === undefined || isActive === (row.state === "active") ? {} : state),
      updatedAt: context.now(),
    })
    .where(eq(webhook.id, row.id));
  await commit(context, [changed]);
  context.wake([laneOfWebhook(row.id)]);
}

/** Gives an endpoint a new secret; the former one signs beside it for so many seconds. */
export async function rotateSecret(
  context: Context,
  row: WebhookRow,
  { secret = makeSecret(context), overlapSeconds }: { secret?: string; overlapSeconds: number },
): Promise<string> {
  const now = context.now();
  const former =
    overlapSeconds === 0
      ? { formerSecretSealed: null, formerSecretUntil: null }
      : {
          formerSecretSealed: row.secretSealed,
          formerSecretUntil: new Date(now.getTime() + overlapSeconds * 1000),
        };
  const changed = context.db
    .update(webhook)
    .set({ ...(await sealSecret(context, row.id, secret)), ...former, updatedAt: now })
    .where(eq(webhook.id, row.id));
  await commit(context, [changed]);
  return secret;
}

/** Deletes an endpoint: nothing more is sent to it. What was sent goes with its age. */
export async function deleteWebhook(context: Context, { id }: WebhookRow): Promise<void> {
  await commit(context, [context.db.delete(webhook).where(eq(webhook.id, id))]);
}

async function workspaceOf(context: Context, actor: Actor, asked: string | undefined) {
  return asked === undefined ? actor.workspaceId : (await findWorkspace(context, actor, asked)).id;
}

async function requireRoom(context: Context, { organizationId }: Actor): Promise<void> {
  if ((await countWebhooks(context, organizationId)) < webhooksMax) return;
  const message = `An organization has at most ${webhooksMax} webhooks; delete one.`;
  throw new ApiError(403, "QUOTA_EXCEEDED", message);
}
