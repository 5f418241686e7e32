// What a host has against what a row asks for.
import type { HostDatabase } from "../contract/database.ts";
import type { Context } from "../core/context.ts";
import { isVerifierKnown } from "./credential.ts";
import { digestOf, type Specified, specOf } from "./spec.ts";
import type { DatabaseRow } from "./table.ts";

// So many specs are derived anew in one look: each takes two milliseconds of processor.
const dearMax = 200;

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
async function driftsOf(context: Context, row: Wanted, found: HostDatabase): Promise<Drift[]> {
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

// One that is compared in no time: no verifier has to be derived for it.
function isCheap({ loginRole: name, passwordSealed }: Wanted): boolean {
  return isVerifierKnown({ name, passwordSealed });
}

/**
 * The drifts of all that are there. What this isolate has not compared before takes a while each:
 * some of them at a time, others another minute.
 */
export async function findDrifts(context: Context, judged: readonly Wanted[], found: Found) {
  const drifted: { readonly row: Wanted; readonly drifts: Drift[] }[] = [];
  const unseen: string[] = [];
  let dear = 0;
  const minute = Math.floor(context.now().getTime() / 60_000);
  const first = (minute * dearMax) % Math.max(1, judged.length);
  for (const row of [...judged.slice(first), ...judged.slice(0, first)]) {
    const there = found.get(row.databaseName);
    if (there === undefined) continue;
    if (!isCheap(row) && ++dear > dearMax) {
      unseen.push(row.id);
      continue;
    }
    const drifts = await driftsOf(context, row, there);
    if (drifts.length > 0) drifted.push({ row, drifts });
  }
  return { drifted, unseen };
}
