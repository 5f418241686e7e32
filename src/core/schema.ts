// The shapes every noun's schema is made of.
import { z } from "@hono/zod-openapi";

// Control characters, line separators, and halves of a surrogate pair, which are no text at all.
const unprintable = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u;
const unprintableInLines = /[^\P{Cc}\n\t\r]|\p{Cs}/u;
// Zero-width and blank characters alone leave nothing to see.
const visible = /[^\p{Cf}\p{Z}]/u;
const lengthMax = 200;

/** One line of text for people: trimmed, 1 to 200 characters, no control character. */
export const Label = z
  .string("must be text")
  .trim()
  .min(1, "must not be empty")
  .max(lengthMax, `must have at most ${lengthMax} characters`)
  .refine((text) => !unprintable.test(text), "must not contain control characters")
  .refine((text) => text === "" || visible.test(text), "must not be empty");

/** Text of several lines, up to 2,000 characters. */
export const Description = z
  .string("must be text")
  .max(2000, "must have at most 2000 characters")
  .refine((text) => !unprintableInLines.test(text), "must not contain control characters");

/** A lower-case word for URLs. */
export const Slug = z
  .string("must be text")
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "must be 1-63 of a-z, 0-9 and -");

/** Free facts of the caller, up to 16 KB as JSON. */
export const Metadata = z
  .record(z.string(), z.unknown(), "must be an object")
  .refine((value) => JSON.stringify(value).length <= 16_384, "must have at most 16384 bytes");

/** A field that may be left out; null means the same, as some public clients send it. */
export function optional<Output>(schema: z.ZodType<Output>) {
  return schema.nullish().transform((value) => value ?? undefined);
}

/** A UUID of any version, in either case; in lower case from here on. */
export function uuid(problem = "must be a UUID") {
  return z.guid(problem).toLowerCase();
}

/** The opaque words a caller may attach to what it creates. */
export const attributionFields = {
  external_workspace_id: optional(Label),
  external_user_id: optional(Label),
  external_project_id: optional(Label),
  metadata: optional(Metadata),
};

/** The same as they are answered. */
export const attributionAnswer = {
  external_workspace_id: z.string().nullable(),
  external_user_id: z.string().nullable(),
  external_project_id: z.string().nullable(),
  metadata: z.record(z.string(), z.unknown()),
};

/** ISO 8601, UTC, with milliseconds. */
export const Time = z.string().openapi({ example: "2026-11-22T12:00:00.000Z" });

/** A path id; its form is checked by the one handler that answers 400 INVALID_ID. */
export const IdParameters = z.object({
  id: uuid("is not a UUID").openapi({ example: "019a7c5e-8f00-7000-8000-000000000000" }),
});

/** A whole number from 1 to `max`. */
export function wholeNumber(max: number) {
  const problem = `must be a whole number from 1 to ${max}`;
  return z.number(problem).int(problem).min(1, problem).max(max, problem);
}

// Digits only: a query is text, and JavaScript reads more as a number than people do.
const positive = (max: number) => {
  const problem = `must be a whole number from 1 to ${max}`;
  return z
    .string(problem)
    .regex(/^\d{1,9}$/, problem)
    .transform(Number)
    .pipe(wholeNumber(max))
    .openapi({ type: "integer", minimum: 1, maximum: max });
};

/** A place in a list; an empty one is none, as clients send that keep it between calls. */
export const Cursor = z
  .string()
  .max(200)
  .regex(
    /^[A-Za-z0-9+/_=-]*$/,
    "is not a cursor of this list; use `next_cursor` of the page before",
  );

/** A query parameter that is true or false. */
export const flag = z
  .enum(["true", "false"], "must be true or false")
  .transform((text) => text === "true")
  .optional()
  .openapi({ type: "boolean" });

/** Every vocabulary of paging. */
export const PageParameters = z.object({
  page: positive(1_000_000).optional(),
  page_size: positive(100).optional(),
  per_page: positive(100).optional().openapi({ description: "The same as `page_size`" }),
  limit: positive(100).optional(),
  cursor: Cursor.optional().openapi({ description: "`next_cursor` of the page before" }),
});

/** `{ data }`. */
export function dataOf<Schema extends z.ZodType>(schema: Schema) {
  return z.object({ data: schema });
}

/** `{ data: [], page, total, next_cursor }`. */
export function listOf<Schema extends z.ZodType>(schema: Schema) {
  return z.object({
    data: z.array(schema),
    page: z.object({ page: z.int(), page_size: z.int(), total: z.int() }),
    total: z.int(),
    next_cursor: z.string().nullable(),
  });
}

/** Every error there is. */
const ErrorAnswer = z
  .object({
    error: z.object({
      code: z.string(),
      message: z.string(),
      request_id: z.string(),
      details: z.record(z.string(), z.unknown()).optional(),
      retryable: z.boolean().optional(),
      retry_after_ms: z.int().optional(),
    }),
    errors: z.record(z.string(), z.array(z.string())).optional(),
    request_id: z.string(),
    retry_after: z.int().optional(),
  })
  .openapi("Error");

/** A documented JSON answer. */
export function json<Schema extends z.ZodType>(description: string, schema: Schema) {
  return { description, content: { "application/json": { schema } } };
}

/** A documented stream of server-sent events. */
export function eventStream(description: string) {
  return { description, content: { "text/event-stream": { schema: z.string() } } };
}

/** A JSON body; it may be left out where an empty object would do. */
export function body<Schema extends z.ZodType>(schema: Schema) {
  const required = !schema.safeParse({}).success;
  return { required, content: { "application/json": { schema } } };
}

/** The error answers of a route, by status; whoever needs a key may also call too often. */
export function errors<Status extends number>(...statuses: Status[]) {
  const all: number[] = statuses;
  return Object.fromEntries(
    (all.includes(401) ? [...all, 429] : all).map((status) => [
      status,
      json(meanings[status] ?? "Error", ErrorAnswer),
    ]),
  ) as Record<Status, ReturnType<typeof json<typeof ErrorAnswer>>>;
}

const meanings: Record<number, string> = {
  400: "Malformed: the JSON cannot be read, or a path id is not a UUID",
  401: "No API key, or an unknown, expired or revoked one",
  403: "The key lacks a scope, or a quota is used up",
  404: "No such thing, or somebody else's",
  409: "Not in a state that allows it, or somebody was first",
  410: "No longer kept",
  413: "The body is larger than 1 MiB",
  422: "A field is wrong; `errors` names it",
  429: "More than is allowed in a minute, or at once; repeat after Retry-After",
  503: "Not now; repeat after Retry-After",
};
