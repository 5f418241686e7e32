// How a caller names tables that are to be brought back.
import { z } from "@hono/zod-openapi";
import { optional } from "../core/schema.ts";

const bytesMax = 63;
const suffix = "_restored";

const bytesOf = (text: string) => new TextEncoder().encode(text).length;

const Identifier = z
  .string("must be text")
  .min(1, "must not be empty")
  .max(bytesMax, { message: `must have at most ${bytesMax} bytes`, abort: true })
  .refine((text) => bytesOf(text) <= bytesMax, `must have at most ${bytesMax} bytes`)
  .refine((text) => !/\p{Cc}|\p{Cs}/u.test(text), "must not contain control characters");

const Named = z.strictObject({
  schema: optional(Identifier).openapi({ description: "`public` when nothing is said" }),
  name: Identifier,
  as: optional(Identifier).openapi({
    description: "What it is called then, in the same schema; its name and `_restored` by default",
  }),
});

// In words alone a table has no dot in its name, and no other name afterwards than the usual one.
const Spelled = z
  .string('must be text as "orders" or "public.orders", or an object with a name')
  .regex(/^[^.]+(\.[^.]+)?$/, 'must be as "orders" or "public.orders", or an object with a name')
  .transform((text): z.input<typeof Named> => {
    const [first = "", second] = text.split(".");
    return second === undefined ? { name: first } : { schema: first, name: second };
  })
  .pipe(Named);

const Table = z.union([Spelled, Named]).transform(({ schema = "public", name, as }) => {
  return { schema, name, as: as ?? `${name}${suffix}` };
});

/** Tables to bring back, each under a name that no other one gets. */
export const RestoreTables = z
  .array(Table, "must be a list of tables")
  .min(1, "must name at least one table")
  .max(100, "must name at most 100 tables")
  .superRefine((tables, { addIssue }) => {
    const taken = new Set<string>();
    for (const [index, { schema, as }] of tables.entries()) {
      const key = JSON.stringify([schema, as]);
      const problem = problemOf(as, taken.has(key));
      if (problem !== null) addIssue({ code: "custom", path: [index], message: problem });
      taken.add(key);
    }
  });

function problemOf(as: string, isTaken: boolean): string | null {
  if (isTaken) return `would be called ${as}, as another one of the list; name it with as`;
  const isLong = bytesOf(as) > bytesMax;
  return isLong ? `would have a name of over ${bytesMax} bytes; give it one with as` : null;
}
