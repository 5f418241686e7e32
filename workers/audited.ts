// What stands in front of every call of the API: who asked for what is written in the batch of the
// change itself; where there was none, and where the call was refused, before the answer goes out.
import type { MiddlewareHandler, Context as RequestContext } from "hono";
import { sealLane } from "../src/audit/seal.ts";
import { createTrail, resourceIn } from "../src/audit/trail.ts";
import type { Context } from "../src/core/context.ts";
import { addressOf } from "./address.ts";
import type { ApiEnv } from "./api.ts";
import type { FindCall } from "./call.ts";
import { isStreamed } from "./stream.ts";

const nudgeSeconds = 1;
// More organizations than call one isolate within a second.
const lanesMax = 10_000;
const refusedStatuses: ReadonlySet<number> = new Set([403, 404]);

type Call = RequestContext<ApiEnv>;

/** Gives each call its trail, and writes down those that were refused or answered again. */
export function audited(findCall: FindCall): MiddlewareHandler<ApiEnv> {
  const nudge = createNudge();
  return async (c, next) => {
    const { path } = c.req;
    const call = findCall(c.req.method, path);
    if (call === null) return next();
    const { context, actor, requestId } = c.var;
    const words = { ...c.req.query(), ...(call.isAudited ? await wordsOf(c) : {}) };
    const trail = createTrail(context, {
      ...{ actor, address: addressOf(c), action: call.action, requestId, words },
      resource: resourceIn(path),
    });
    if (call.isAudited) {
      c.set("context", { ...context, trail });
      c.set("receipt", (resourcePath) => {
        trail.tell({ resource: resourceIn(resourcePath) });
        return [];
      });
    }
    await next();
    const { status, headers } = c.res;
    const isRefused = refusedStatuses.has(status) && !trail.isWritten();
    if (isRefused) trail.tell({ outcome: { outcome: "refused", status, code: await codeOf(c) } });
    if (headers.has("idempotency-replayed")) trail.tell({ outcome: { outcome: "replayed" } });
    if (!isRefused && !(call.isAudited && (c.res.ok || trail.isWritten()))) return;
    const [rest] = trail.pending();
    if (rest !== undefined) await context.db.batch([rest]);
    await nudge(c, context, sealLane(actor.organizationId));
  };
}

// A body that cannot be read is refused by the route.
async function wordsOf(c: Call): Promise<Record<string, unknown>> {
  if (isStreamed(c.req) || c.req.raw.body === null) return {};
  try {
    const words: unknown = JSON.parse(await c.req.text());
    return typeof words === "object" && words !== null ? { ...words } : {};
  } catch {
    return {};
  }
}

async function codeOf(c: Call): Promise<string> {
  const { code } = (await c.res.clone().json()) as { readonly code: string };
  return code;
}

// One nudge is for all entries of its second. One that is lost is made good by the cron.
function createNudge() {
  const lastNudges = new Map<string, number>();
  return async (c: Call, context: Context, lane: string): Promise<void> => {
    const now = context.now().getTime();
    if (now - (lastNudges.get(lane) ?? 0) < nudgeSeconds * 1000) return;
    if (lastNudges.size >= lanesMax) lastNudges.clear();
    lastNudges.set(lane, now);
    const nudged = context.nudge(lane, nudgeSeconds).catch((error: unknown) => {
      context.log({ level: "warning", message: `A nudge was not sent: ${error}`, lane });
    });
    try {
      c.executionCtx.waitUntil(nudged);
    } catch {
      // Where a call has no life beyond its answer, it waits.
      await nudged;
    }
  };
}
