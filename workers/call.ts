// The calls of the API, from its own description: which one a request is, and what it needs.
import type { OpenAPIHono } from "@hono/zod-openapi";
import { ApiError } from "../src/core/error.ts";
import type { Scope } from "../src/core/scope.ts";
import type { ApiEnv } from "./api.ts";

/** One call of the API. */
export interface Call {
  readonly method: string;
  readonly pattern: RegExp;
  /** Its `operationId`, such as `databases.update`. */
  readonly action: string;
  /** What its key must have; null for a call without a key. */
  readonly scope: Scope | null;
  /** Written down when it succeeds: it may change something, or gives out credentials. */
  readonly isAudited: boolean;
  /** Takes a JSON body, whose fields its schema knows. */
  readonly hasBody: boolean;
  /** Names its query may have. */
  readonly query: ReadonlySet<string>;
  readonly parameterCount: number;
}

interface QuerySchema {
  readonly shape?: Readonly<Record<string, unknown>>;
}

function listCalls(app: OpenAPIHono<ApiEnv>): readonly Call[] {
  return app.openAPIRegistry.definitions.flatMap((definition) => {
    if (definition.type !== "route") return [];
    const { method, path, operationId, security, request } = definition.route;
    const query = (request?.query ?? {}) as QuerySchema;
    return {
      method: method.toUpperCase(),
      pattern: new RegExp(`^${path.replaceAll(/\{\w+\}/g, "[^/]+")}$`),
      action: operationId ?? path,
      scope: (security?.[0]?.apiKey?.[0] ?? null) as Scope | null,
      isAudited: method !== "get" || definition.route["x-audited"] === true,
      hasBody: request?.body !== undefined,
      query: new Set(Object.keys(query.shape ?? {})),
      parameterCount: path.split("{").length - 1,
    };
  });
}

/** Finds the call a request is; null when nothing is at its path. */
export type FindCall = (method: string, path: string) => Call | null;

/**
 * The finder of an API. A word of a path comes before a name of anything: `/api-keys/presets` is
 * never the key `presets`. It throws ApiError 405 where the path takes other methods.
 */
export function createCallFinder(app: OpenAPIHono<ApiEnv>): FindCall {
  let calls: readonly Call[] | undefined;
  return (asked, path) => {
    calls ??= listCalls(app);
    const there = calls.filter(({ pattern }) => pattern.test(path));
    const fewest = Math.min(...there.map(({ parameterCount }) => parameterCount));
    const meant = there.filter(({ parameterCount }) => parameterCount === fewest);
    if (meant.length === 0) return null;
    const method = asked === "HEAD" ? "GET" : asked;
    const call = meant.find((each) => each.method === method);
    if (call !== undefined) return call;
    const allowed = [...new Set(meant.map((each) => each.method))].join(", ");
    throw new ApiError(405, "METHOD_NOT_ALLOWED", `This path takes ${allowed}.`, {
      headers: { allow: allowed },
    });
  };
}
