// The one place an error becomes an answer. No stack trace, no internal name leaves from here.
import { violatedConstraint } from "../src/core/batch.ts";
import { ApiError } from "../src/core/error.ts";
import { log } from "./context.ts";
import { Misconfigured } from "./installation.ts";

/** The answer for anything a route threw. */
export function answerError(error: unknown, requestId: string): Response {
  const problem = problemOf(error, requestId);
  const { status, code, message, options } = problem;
  const { details, fields, retryAfterSeconds: seconds } = options;
  const headers = new Headers(options.headers);
  headers.set("content-type", "application/json");
  headers.set("cache-control", "no-store");
  if (seconds !== undefined) headers.set("retry-after", String(seconds));
  const retry = seconds === undefined ? {} : { retryable: true, retry_after_ms: seconds * 1000 };
  const body = {
    error: {
      code,
      message,
      request_id: requestId,
      ...(details === undefined ? {} : { details }),
      ...options.facts,
      ...retry,
    },
    ...(fields === undefined ? {} : { errors: fields }),
    // Some public clients read them here.
    code,
    message,
    request_id: requestId,
    ...(seconds === undefined ? {} : { retry_after: seconds }),
  };
  return new Response(JSON.stringify(body), { status, headers });
}

function problemOf(error: unknown, requestId: string): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof Misconfigured) {
    log({ level: "error", message: error.message, request_id: requestId });
    return new ApiError(503, "MISCONFIGURED", error.message, { retryAfterSeconds: 30 });
  }
  const violated = violatedConstraint(error);
  const known = violated === null ? undefined : violations[violated];
  if (known !== undefined) return known();
  if (error instanceof SyntaxError || statusOf(error) === 400) {
    return new ApiError(400, "MALFORMED_JSON", "The body is not valid JSON.");
  }
  if (statusOf(error) === 413) {
    return new ApiError(413, "BODY_TOO_LARGE", "The body is larger than 1 MiB.");
  }
  const message = error instanceof Error ? `${error.message} ${causeOf(error)}` : String(error);
  log({ level: "error", message, request_id: requestId });
  return new ApiError(500, "INTERNAL_ERROR", "Something failed on our side; it has been logged.");
}

// What each unique index and check means to a caller, by the columns or the name SQLite reports.
const violations: Record<string, () => ApiError> = {
  "operation.resource_id": () =>
    new ApiError(409, "OPERATION_IN_PROGRESS", "Another operation is under way; wait for its end."),
  "workspace.organization_id, workspace.slug": () => taken("slug", "workspace"),
  "workspace.organization_id, workspace.external_workspace_id": () =>
    taken("external_workspace_id", "workspace"),
  "project.workspace_id, project.slug": () => taken("slug", "project", "PROJECT_SLUG_TAKEN"),
  "database.state": () =>
    new ApiError(409, "INVALID_STATE", "The database's state has just changed; look again."),
  "database.deletion_protection": () =>
    new ApiError(409, "INVALID_STATE", "The database is deleted; undelete it first."),
  "project.state": () =>
    new ApiError(409, "INVALID_STATE", "The project has just changed; look again."),
  "database.environment_id": () =>
    new ApiError(409, "ALREADY_EXISTS", "The environment already has its primary database."),
  "database.environment_id, database.name": () => taken("name", "database", "DATABASE_NAME_TAKEN"),
  "key_preset.organization_id, key_preset.name": () => taken("name", "preset"),
  "api_key.key_hash": () =>
    new ApiError(409, "CONFLICT", "The API key has just been rotated; look again."),
  "host.name": () => taken("name", "host"),
  host_has_room: () =>
    new ApiError(503, "NO_CAPACITY", "The last place of the host was just taken; try again.", {
      retryAfterSeconds: 1,
    }),
  "host.backends_count": () =>
    new ApiError(
      503,
      "NO_CAPACITY",
      "The host has no backends left for this: take a smaller size, or delete a database.",
      { retryAfterSeconds: 30 },
    ),
  organization_has_room: () =>
    new ApiError(
      403,
      "QUOTA_EXCEEDED",
      "The organization has as many projects as its plan allows; delete one or raise the plan.",
    ),
  "idempotency_key.holder": () =>
    new ApiError(409, "IDEMPOTENCY_IN_PROGRESS", "The same request is being carried out.", {
      retryAfterSeconds: 1,
    }),
};

// A public client takes NAME_TAKEN for another noun's.
function taken(field: string, noun: string, code = "NAME_TAKEN"): ApiError {
  const message = `Another ${noun} already has this ${field}.`;
  return new ApiError(409, code, message, { fields: { [field]: ["is taken"] } });
}

function statusOf(error: unknown): number | undefined {
  return error instanceof Error && "status" in error ? Number(error.status) : undefined;
}

function causeOf(error: Error): string {
  return error.cause instanceof Error ? `(${error.cause.message})` : "";
}
