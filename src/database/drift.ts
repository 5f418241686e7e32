// What a host has against what a row asks for.
import type { HostDatabase } from "../contract/instance/database.ts";
import type { Context } from "../core/context.ts";
import { isVerifierKnown } from "./credential.ts";
import { digestOf, type Specified, specOf } from "./spec.ts";
import type { DatabaseRow } from "./table.ts";

/** One way a database differs from its row, in the order in which they are repaired. */
export type Drift = "spec" | "start" | "stop";

/** The part of a row a host is compared with. */
export type Wanted = Specified &
  Pick<DatabaseRow, "state" | "hostId" | "databaseName" | "updatedAt">;

/** What a host has, by name. */
export type Found = ReadonlyMap<string, HostDatabase>;

/** True for a row whose clients are to be refused. */
function isClosed({ state }: Pick<Wanted, "state">): boolean {
  return state === "stopped" || state === "deleted";
}

/** True for a database that a row is to name; recoveries have names of their own. */
export function isOurs({ database }: HostDatabase): boolean {
  return database.startsWith("proj_");
}

/** Every drift of a database that is there. */
export async function driftsOf(
  context: Context,
  row: Wanted,
  found: HostDatabase,
): Promise<Drift[]> {
  const isOpen = !isClosed(row);
  const isHeld = found.state === "stopped" || found.state === "failed";
  const wanted = await digestOf(await specOf(context, row));
  const drifts: [Drift, boolean][] = [
    ["spec", found.spec_sha256 !== wanted],
    ["start", isOpen && isHeld],
    ["stop", !isOpen && found.state !== "stopped"],
  ];
  return drifts.flatMap(([drift, isThere]) => (isThere ? [drift] : []));
}

/** True for a row that is compared in no time: no verifier has to be derived for it. */
export function isCheap({ loginRole: name, passwordSealed }: Wanted): boolean {
  return isVerifierKnown({ name, passwordSealed });
}
