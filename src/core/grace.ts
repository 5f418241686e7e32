import { z } from "@hono/zod-openapi";

const problem = "must be a whole number of seconds from 0 to 604800";
const secondsMax = 604_800;
/** A day. */
export const graceSecondsDefault = 86_400;
const shape = {
  type: "integer",
  minimum: 0,
  maximum: secondsMax,
  default: graceSecondsDefault,
} as const;

/** How long what is deleted can be had back, in the query. */
export const GraceParameters = z.object({
  grace_seconds: z
    .string(problem)
    .regex(/^\d{1,6}$/, problem)
    .transform(Number)
    .refine((seconds) => seconds <= secondsMax, problem)
    .optional()
    .openapi(shape),
});

const Grace = z
  .strictObject({
    grace_seconds: z.int(problem).min(0, problem).max(secondsMax, problem).nullish().openapi(shape),
  })
  .openapi("Grace");

/** The same as an optional body. */
export const graceBody = { content: { "application/json": { schema: Grace } } };

/** The seconds of grace a request asks for: the query comes first; a day when it says nothing. */
export function graceOf(
  query: z.infer<typeof GraceParameters>,
  body: Partial<z.infer<typeof Grace>> | undefined,
): number {
  return query.grace_seconds ?? body?.grace_seconds ?? graceSecondsDefault;
}
