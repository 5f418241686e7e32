// What those who follow events may ask for.
import { z } from "@hono/zod-openapi";
import { isFilter } from "./filter.ts";

const globsMax = 20;
const problem =
  `must be up to ${globsMax} names of events with commas between, or globs such as ` +
  "`database.*`; the names are at GET /webhooks/events";

/** `?types=database.*,project.created`: any of them. */
export const TypeGlobs = z
  .string()
  .max(1000, problem)
  .transform((text) => text.split(",").map((glob) => glob.trim()))
  .refine((globs) => globs.length <= globsMax && globs.every(isFilter), problem)
  .openapi({
    type: "string",
    maxLength: 1000,
    description: "Names, or globs such as `database.*`, with commas",
  });

/** `?scope=all`, `workspace:{id}` or `external_user:{id}`. */
export const Scope = z
  .string()
  .max(300)
  .regex(/^(all|workspace:[\da-fA-F-]{36}|external_user:.+)$/, {
    message: "must be `all`, `workspace:{id}` or `external_user:{id}`",
  })
  .openapi({ description: "`all`, `workspace:{id}` or `external_user:{id}`" });
