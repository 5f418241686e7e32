// The rows of a running system from outside, for what no call can do, such as making them older.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import type { RunningSystem } from "./system.ts";

/** Runs one statement on a system's D1; how many rows it changed. */
export function changeRows(
  system: RunningSystem,
  text: string,
  ...values: readonly SQLInputValue[]
): number {
  const directory = join(system.home, "state", "v3", "d1");
  const names = readdirSync(directory, { recursive: true, encoding: "utf8" });
  const file = names.find((name) => /\/[\da-f]{64}\.sqlite$/.test(name));
  if (file === undefined) throw new Error(`There is no D1 in ${directory}.`);
  const db = new DatabaseSync(join(directory, file), { timeout: 5000 });
  try {
    return Number(db.prepare(text).run(...values).changes);
  } finally {
    db.close();
  }
}
