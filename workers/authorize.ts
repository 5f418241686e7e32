// What stands between who calls and what the call does: whether the key may make this call at all,
// and whether the call understands every word of its query.
import type { MiddlewareHandler } from "hono";
import { requireScope } from "../src/core/actor.ts";
import { ApiError } from "../src/core/error.ts";
import type { ApiEnv } from "./api.ts";
import type { Call, FindCall } from "./call.ts";

/** Refuses a key without the call's scope, and a query with a name the call does not know. */
export function authorize(findCall: FindCall): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const call = findCall(c.req.method, c.req.path);
    if (call === null) return next();
    if (call.scope === null) throw new Error(`${call.action} does not say which scope it needs.`);
    requireScope(c.var.actor, call.scope);
    refuseUnknown(call, Object.keys(c.req.query()));
    if (!call.hasBody && c.req.raw.body !== null) refuseBody(call, await c.req.text());
    await next();
  };
}

function refuseUnknown({ query, action }: Call, names: readonly string[]): void {
  const unknown = names.filter((name) => !query.has(name));
  if (unknown.length === 0) return;
  const known = query.size === 0 ? "none" : [...query].join(", ");
  const problem = `is not a query parameter of ${action}; known: ${known}`;
  const fields = Object.fromEntries(unknown.map((name) => [name, [problem]]));
  throw new ApiError(422, "VALIDATION_ERROR", `${unknown[0]}: ${problem}`, { fields });
}

// Many clients send an empty object where there is nothing to say.
function refuseBody({ action }: Call, text: string): void {
  if (text.trim() === "") return;
  const body: unknown = JSON.parse(text);
  const isObject = typeof body === "object" && body !== null && !Array.isArray(body);
  const names = isObject ? Object.keys(body) : ["body"];
  if (names.length === 0) return;
  const problem = `is not a field of ${action}, which takes none; leave it out`;
  const fields = Object.fromEntries(names.map((name) => [name, [problem]]));
  throw new ApiError(422, "VALIDATION_ERROR", `${names[0]}: ${problem}`, { fields });
}
