// Headers a caller adds to its deliveries. Ours, the host, those of the content and those between
// two hops are not theirs to set.
import { z } from "@hono/zod-openapi";

const countMax = 20;
const valueLengthMax = 1024;
const nameForm = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/;
const valueForm = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/;
const reserved = new Set([
  "host",
  "connection",
  "keep-alive",
  "transfer-encoding",
  "te",
  "trailer",
  "upgrade",
  "expect",
  "date",
  "via",
  "forwarded",
  "user-agent",
  "accept-encoding",
  "range",
  "x-real-ip",
]);
const reservedPrefix = /^(x-miosa|miosa|webhook|content|proxy|sec|cf|x-forwarded)(-|$)/;

/** Names and values. */
export const CustomHeaders = z
  .record(z.string(), z.string("must be text"), "must be an object of names and values")
  .superRefine((headers, refinement) => {
    const names = Object.keys(headers);
    const add = (path: string[], message: string) =>
      refinement.addIssue({ code: "custom", path, message });
    if (names.length > countMax) add([], `must have at most ${countMax} headers`);
    if (new Set(names.map((name) => name.toLowerCase())).size < names.length) {
      add([], "must name each header once; case does not matter");
    }
    for (const [name, value] of Object.entries(headers)) {
      const problem = problemOf(name.toLowerCase(), value);
      if (problem !== null) add([name], problem);
    }
  });

function problemOf(name: string, value: string): string | null {
  if (!nameForm.test(name)) return "is not a header's name: use letters, digits and hyphens";
  if (reserved.has(name) || reservedPrefix.test(name)) {
    return "is set by the delivery itself; choose another name, such as X-My-Token";
  }
  if (value.length > valueLengthMax) return `must have at most ${valueLengthMax} characters`;
  return value === "" || valueForm.test(value) ? null : "must be one line of printable ASCII";
}
