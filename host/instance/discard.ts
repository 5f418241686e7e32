import { removeTree } from "./files.ts";
import type { Fleet } from "./fleet.ts";
import { placeOf } from "./place.ts";

/** Removes all that is of an instance which has no process any more. */
export async function discard(fleet: Fleet, name: string): Promise<void> {
  await removeTree(placeOf(fleet.directory, name).directory);
  fleet.groups.remove(name);
}
