import { existsSync } from "node:fs";
import { join } from "node:path";
import { readIfExists } from "../base/file.ts";

/** What an earlier version wrote there: one Postgres for all databases of a host. */
function isFormer(directory: string): boolean {
  const secrets = readIfExists(join(directory, "secret.json")) ?? "";
  return existsSync(join(directory, "data", "PG_VERSION")) || secrets.includes("control_password");
}

/** @throws Error for a directory of the former design, which this program never changes */
export function refuseFormer(directory: string): void {
  if (!isFormer(directory)) return;
  throw new Error(
    `${directory} holds one Postgres for all databases, as an earlier version kept them; here ` +
      "each has its own. Nothing was changed. Dump its databases with that version, give this " +
      "one another directory, and restore them there.",
  );
}
