import { OpenAPIHono, type z } from "@hono/zod-openapi";
import type { Actor } from "./actor.ts";
import type { Statement } from "./batch.ts";
import type { Context } from "./context.ts";
import { ApiError, type FieldErrors } from "./error.ts";
import type { Scope } from "./scope.ts";
import type { Timing } from "./timing.ts";

/**
 * What an `Idempotency-Key` adds to a verb's own batch: that the path now names what the request
 * made. Without a key it adds nothing.
 */
export type Receipt = (resourcePath: string) => readonly Statement[];

/** What a route finds on its request. */
export interface RouteEnv {
  readonly Variables: {
    readonly context: Context;
    readonly actor: Actor;
    readonly requestId: string;
    readonly receipt: Receipt;
    readonly timing: Timing;
  };
}

/**
 * The `security` of a route: the scope its API key must have. `workers/authorize.ts` looks at it
 * before anything of the request is done, and the document shows it.
 */
export function needs(scope: Scope): { apiKey: Scope[] }[] {
  return [{ apiKey: [scope] }];
}

/** How long the request that begins work drives it before it answers "under way". */
export const driveMilliseconds = 2000;

/** A router whose bad requests become ApiErrors: 400 for a path id, 422 for any other field. */
export function router() {
  return new OpenAPIHono<RouteEnv>({
    defaultHook: (result) => {
      if (result.success) return;
      const { issues } = result.error;
      if (result.target === "param" && issues.some((issue) => issue.path[0] !== "name")) {
        const [{ path, message } = { path: ["id"], message: "is not a UUID" }] = issues;
        throw new ApiError(400, "INVALID_ID", `The ${path.join(".")} in the path ${message}.`);
      }
      const fields: FieldErrors = {};
      for (const { field, message } of issues.flatMap(problemsOf)) {
        fields[field] = [...(fields[field] ?? []), message];
      }
      const [[field, problems] = ["body", []]] = Object.entries(fields);
      throw new ApiError(422, "VALIDATION_ERROR", `${field}: ${problems[0] ?? "is not valid"}`, {
        fields,
      });
    },
  });
}

type Issue = z.core.$ZodIssue;

// A field nobody knows is named like one that is wrong.
function problemsOf(issue: Issue): { readonly field: string; readonly message: string }[] {
  const { path, message } = issue;
  if (issue.code !== "unrecognized_keys") return [{ field: path.join(".") || "body", message }];
  return issue.keys.map((key) => ({
    field: [...path, key].join("."),
    message: "is not a field of this call; leave it out",
  }));
}
