// What stands in front of every call that changes something or gives out credentials: who asked is
// written in the batch of the change itself; where there was none, before the answer goes out.
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { MiddlewareHandler, Context as RequestContext } from "hono";
import { sealLane } from "../src/audit/seal.ts";
import { createTrail, resourceIn } from "../src/audit/trail.ts";
import { addressOf } from "./address.ts";
import type { ApiEnv } from "./api.ts";
import { isStreamed } from "./stream.ts";

const nudgeSeconds = 1;
// More organizations than call one isolate within a second.
const lanesMax = 10_000;

/** A call that is written down, and how it is recognised. */
interface AuditedCall {
  readonly method: string;
  readonly pattern: RegExp;
  readonly action: string;
}

/** The calls of an API that are written down: all that may change something, and marked reads. */
function auditedCalls(app: OpenAPIHono<ApiEnv>): readonly AuditedCall[] {
  const routes = app.openAPIRegistry.definitions.flatMap((definition) =>
    definition.type === "route" ? [definition.route] : [],
  );
  // A word of a path comes before a name of anything.
  const parametersOf = (path: string) => path.split("{").length;
  return routes
    .filter((route) => route.method !== "get" || route["x-audited"] === true)
    .sort((one, other) => parametersOf(one.path) - parametersOf(other.path))
    .map(({ method, path, operationId }) => ({
      method: method.toUpperCase(),
      pattern: new RegExp(`^${path.replaceAll(/\{\w+\}/g, "[^/]+")}$`),
      action: operationId ?? path,
    }));
}

/** Gives each such call its trail. */
export function audited(app: OpenAPIHono<ApiEnv>): MiddlewareHandler<ApiEnv> {
  let calls: readonly AuditedCall[] | undefined;
  const lastNudges = new Map<string, number>();
  return async (c, next) => {
    calls ??= auditedCalls(app);
    const { method, path } = c.req;
    const call = calls.find((each) => each.method === method && each.pattern.test(path));
    if (call === undefined) return next();
    const { context, actor, requestId, receipt } = c.var;
    const trail = createTrail(context, {
      actor,
      address: addressOf(c),
      action: call.action,
      requestId,
      resource: resourceIn(path),
      words: { ...c.req.query(), ...(await wordsOf(c)) },
    });
    c.set("context", { ...context, trail });
    c.set("receipt", (resourcePath) => {
      trail.tell({ resource: resourceIn(resourcePath) });
      return receipt(resourcePath);
    });
    await next();
    if (!c.res.ok && !trail.isWritten()) return;
    const [rest] = trail.pending();
    if (rest !== undefined) await context.db.batch([rest]);
    const lane = sealLane(actor.organizationId);
    // One nudge is for all entries of its second. One that is lost is made good by the cron.
    const now = context.now().getTime();
    if (now - (lastNudges.get(lane) ?? 0) < nudgeSeconds * 1000) return;
    if (lastNudges.size >= lanesMax) lastNudges.clear();
    lastNudges.set(lane, now);
    await nudgeLater(c, lane);
  };
}

// A body that cannot be read is refused by the route.
async function wordsOf(c: RequestContext<ApiEnv>): Promise<Record<string, unknown>> {
  if (isStreamed(c.req) || c.req.raw.body === null) return {};
  try {
    const words: unknown = JSON.parse(await c.req.text());
    return typeof words === "object" && words !== null ? { ...words } : {};
  } catch {
    return {};
  }
}

async function nudgeLater(c: RequestContext<ApiEnv>, lane: string): Promise<void> {
  const { context } = c.var;
  const nudged = context.nudge(lane, nudgeSeconds).catch((error: unknown) => {
    context.log({ level: "warning", message: `A nudge was not sent: ${error}`, lane });
  });
  try {
    c.executionCtx.waitUntil(nudged);
  } catch {
    // Where a call has no life beyond its answer, it waits.
    await nudged;
  }
}
