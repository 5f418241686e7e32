import { OpenAPIHono } from "@hono/zod-openapi";
import type { Actor } from "./actor.ts";
import type { Statement } from "./batch.ts";
import type { Context } from "./context.ts";
import { ApiError, type FieldErrors } from "./error.ts";
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
      for (const { path, message } of issues) {
        const field = path.join(".") || "body";
        fields[field] = [...(fields[field] ?? []), message];
      }
      const [[field, problems] = ["body", []]] = Object.entries(fields);
      throw new ApiError(422, "VALIDATION_ERROR", `${field}: ${problems[0] ?? "is not valid"}`, {
        fields,
      });
    },
  });
}
