import { removeTree } from "./files.ts";
import { type Fleet, fleetPlaces } from "./fleet.ts";
import { placeOf } from "./place.ts";

/** Removes all that is of an instance which has no process any more. */
export async function discard(fleet: Fleet, name: string): Promise<void> {
  await removeTree(placeOf(fleetPlaces(fleet).instances, name).directory);
  fleet.groups.remove(name);
}
