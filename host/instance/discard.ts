import { removeTree } from "./files.ts";
import type { Fleet } from "./fleet.ts";
import { removeLink } from "./link.ts";
import { placeOf } from "./place.ts";

/** Removes all that is of an instance which has no process any more. */
export async function discard(fleet: Fleet, name: string): Promise<void> {
  const { directory, door } = placeOf(fleet.directory, name);
  removeLink(door);
  await removeTree(directory);
  fleet.groups.remove(name);
}
