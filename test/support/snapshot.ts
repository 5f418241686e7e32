import { env } from "cloudflare:workers";
import { type TestContext, tableNames } from "./context.ts";

// What may differ between two ways to the same end: times, tries, random bytes drawn on the way.
const passing =
  /^(seq|run_after|lease_token|attempts|seal_check)$|_(at|until|sealed|milliseconds)$|^error_/;

// Operations and events that an operation makes draw their ids on the way.
const drawn = new Set(["operation", "event"]);
const isPassing = (table: string, column: string) =>
  passing.test(column) || (drawn.has(table) && column === "id");

// Sealing the same twice gives two texts.
const withoutSeals = (value: unknown) =>
  typeof value === "string" ? value.replaceAll(/s1\.[\w.-]+/g, "sealed") : value;

/** Everything that is: the rows of every table, and what the hosts hold. */
export async function snapshot({ host }: TestContext) {
  const names = await tableNames();
  const queries = names.map((name) => env.DB.prepare(`select * from ${name} order by 1`));
  const results = await env.DB.batch<Record<string, unknown>>(queries);
  const rows = names.map((name, index) => [
    name,
    results[index]?.results.map((row) =>
      Object.fromEntries(
        Object.entries(row)
          .filter(([column]) => !isPassing(name, column))
          .map(([column, value]) => [column, withoutSeals(value)]),
      ),
    ),
  ]);
  return {
    rows: Object.fromEntries(rows),
    databases: [...host.databases].sort(([one], [other]) => (one < other ? -1 : 1)),
    aside: [...host.aside.keys()].sort(),
    recoveries: [...host.recoveries.keys()].sort(),
    dumps: [...host.dumps.keys()].sort(),
  };
}
