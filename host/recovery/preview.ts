// A recovered instance that stays as it is, open to one login for reading, by a name of its own and
// for a time. Its login is made in it before it takes no more writes.
import type { PreviewRequest } from "../../src/contract/instance/recovery.ts";
import { settleLogins } from "../database/login.ts";
import type { DatabaseMeans } from "../database/means.ts";
import type { PreviewRecord } from "../database/record.ts";
import { syncFileSystem } from "../instance/files.ts";
import { boxOf } from "../instance/fleet.ts";
import type { InstanceState } from "../instance/roster.ts";
import { platformSession } from "../instance/session.ts";
import { log, messageOf } from "../log.ts";
import { HostProblem } from "../problem.ts";
import { standStill } from "./standby.ts";

/** Lets the preview's login in to what was recovered, as the owner it had. */
async function admit(
  { fleet }: DatabaseMeans,
  { record }: InstanceState,
  wanted: PreviewRequest,
): Promise<void> {
  const { database } = record;
  const { place } = boxOf(fleet, record.name, record.slot, record.size);
  const postgres = platformSession(fleet, place, database);
  const inside = platformSession(fleet, place, database, database);
  try {
    // Nobody writes here, full or not.
    const access = { logins: [wanted.login], isFull: false };
    await settleLogins({ postgres, inside }, database, access);
  } finally {
    await Promise.all([postgres.close(), inside.close()]);
  }
}

/** @throws HostProblem 409 when the name is another's */
export function refuseTaken(
  { files, keeper }: DatabaseMeans,
  line: string,
  instance: string,
): void {
  const { databases, previews } = files;
  const isOther = previews.has(line) && previews.get(line).instance !== instance;
  if (!isOther && !databases.has(line) && !keeper.roster.has(line)) return;
  throw new HostProblem(409, "database_exists", `There is a database ${line} already.`);
}

/**
 * Opens a recovered instance. `note` is called when its login is in it, and before anything but
 * this knows of it.
 */
export async function openPreview(
  means: DatabaseMeans,
  state: InstanceState,
  wanted: PreviewRequest,
  note: () => void,
): Promise<void> {
  const { fleet, keeper } = means;
  const { record, server } = state;
  if (server === undefined) throw new Error(`${record.name} does not run.`);
  await admit(means, state, wanted);
  const box = boxOf(fleet, record.name, record.slot, record.size);
  const standing = await standStill(box, server, record.size);
  note();
  await keeper.adopt({ record, server: standing });
  await publishPreview(means, record.name, wanted);
  syncFileSystem(box.place.directory).catch((error) => log("warn", messageOf(error)));
}

/** Has the poolers know a preview; done again, it has its new limits and its old time. */
export async function publishPreview(
  { keeper, files, pair }: DatabaseMeans,
  instance: string,
  { name: line, login, limits, keep_seconds }: PreviewRequest,
): Promise<void> {
  const { database } = keeper.roster.get(instance).record;
  const known = files.previews.has(line) ? files.previews.get(line) : undefined;
  const expiresAt = known?.expiresAt ?? new Date(Date.now() + keep_seconds * 1000).toISOString();
  await keeper.lead(line, instance);
  const preview: PreviewRecord = { line, database, instance, login, limits, expiresAt };
  files.previews.put(preview);
  await pair.apply();
}
