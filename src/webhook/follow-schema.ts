// What those who follow events may ask for.
import { z } from "@hono/zod-openapi";
import { eventTypes } from "./event.ts";

const globsMax = 20;
const form = /^[a-z_*]{1,40}(\.[a-z_*]{1,40}){0,3}$/;
const problem =
  `must be up to ${globsMax} names of events with commas between, or globs such as ` +
  "`database.*`; the names are at GET /webhooks/events";

/** `?types=database.*,project.created`: any of them. */
export const TypeGlobs = z
  .string()
  .max(1000, problem)
  .transform((text) => text.split(",").map((glob) => glob.trim()))
  .refine((globs) => globs.length <= globsMax && globs.every(isGlob), problem)
  .openapi({ type: "string", description: "Names, or globs such as `database.*`, with commas" });

/** `?scope=all`, `workspace:{id}` or `external_user:{id}`. */
export const Scope = z
  .string()
  .max(300)
  .regex(/^(all|workspace:[\da-fA-F-]{36}|external_user:.+)$/, {
    message: "must be `all`, `workspace:{id}` or `external_user:{id}`",
  })
  .openapi({ description: "`all`, `workspace:{id}` or `external_user:{id}`" });

// A misspelled name would wait for ever; what a category is not made here yet may come.
function isGlob(glob: string): boolean {
  if (!form.test(glob)) return false;
  const [category = ""] = glob.split(".");
  const isOpen = !category.includes("*") && !eventTypes.some((it) => it.startsWith(`${category}.`));
  const pattern = new RegExp(`^${glob.replaceAll(".", "\\.").replaceAll("*", ".*")}$`);
  return isOpen || eventTypes.some((type) => pattern.test(type));
}
