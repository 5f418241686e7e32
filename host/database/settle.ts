// Brings what is wanted of a database into force, whatever is so far: of that alone what differs
// is done. One that sleeps or is stopped does not stay up for it.
import type { DatabaseSpec } from "../../src/contract/spec.ts";
import { log, messageOf } from "../base/log.ts";
import { platformSession } from "../instance/session.ts";
import { type Access, type InstanceSessions, isHeld, removeLogins, settleLogins } from "./login.ts";
import type { DatabaseMeans } from "./means.ts";
import { isRefused } from "./record.ts";
import { sizeOf, specSha256 } from "./spec.ts";

/** Works with the host program's sessions in an instance that runs. */
export async function withSessions<Result>(
  { fleet, keeper }: Pick<DatabaseMeans, "fleet" | "keeper">,
  name: string,
  work: (sessions: InstanceSessions) => Promise<Result>,
): Promise<Result> {
  const { database } = keeper.roster.get(name).record;
  const { place } = keeper.roster.box(name);
  const postgres = platformSession(fleet, place, database);
  const inside = platformSession(fleet, place, database, database);
  try {
    return await work({ postgres, inside });
  } finally {
    await Promise.all([postgres.close(), inside.close()]);
  }
}

export function accessOf({ logins, is_full: isFull }: DatabaseSpec): Access {
  return { logins, isFull };
}

/**
 * Has the logins of a database be as wanted. Where the rights of its sessions change with that its
 * clients are held, since those sessions end.
 * @returns logins that are none any more
 */
export async function settleAccess(means: DatabaseMeans, database: string, access: Access) {
  const { name } = means.keeper.live(database).record;
  return withSessions(means, name, async (sessions) => {
    if ((await isHeld(sessions, database)) === access.isFull) {
      return settleLogins(sessions, database, access);
    }
    const letGo = await means.pair.hold(database);
    try {
      return await settleLogins(sessions, database, access);
    } finally {
      await letGo();
    }
  });
}

/** Has the logins of a database be as wanted, and those that are none any more be gone. */
async function settleWholeAccess(means: DatabaseMeans, database: string, access: Access) {
  const { name } = means.keeper.live(database).record;
  const gone = await settleAccess(means, database, access);
  await withSessions(means, name, (sessions) => removeLogins(sessions, database, gone));
}

/** Brings a database's spec into force, for who is in its lane. */
export async function settle(means: DatabaseMeans, database: string): Promise<void> {
  const { keeper, pair, files } = means;
  const { spec, inForce } = files.databases.get(database);
  const { name, wanted } = keeper.live(database).record;
  const [access, sha256] = [accessOf(spec), specSha256(spec)];
  if (wanted === "running") await keeper.start(name);
  const isUp = () => keeper.roster.get(name).server !== undefined;
  let gone: readonly string[] = [];
  if (isUp()) {
    gone = await keeper.visit(name, () => settleAccess(means, database, access));
  } else if (inForce !== sha256) {
    // Nobody is served: what is said takes one start.
    await keeper.visit(name, () => settleWholeAccess(means, database, access));
  }
  // New logins are there before the poolers let them in; former ones, until they no longer do.
  await keeper.resize(name, sizeOf(spec), pair.apply);
  for (const login of gone) await pair.endClients(database, login);
  if (gone.length > 0) {
    await keeper.visit(name, () =>
      withSessions(means, name, (sessions) => removeLogins(sessions, database, gone)),
    );
  }
  const record = files.databases.get(database);
  if (record.inForce !== sha256) files.databases.put({ ...record, inForce: sha256 });
}

/** Has a database be stopped, or not, as was wanted last. */
async function settleState({ files, keeper }: DatabaseMeans, database: string): Promise<void> {
  const { record, server } = keeper.live(database);
  const isOut = isRefused(files.databases.get(database));
  if (isOut && (server !== undefined || record.wanted !== "stopped")) {
    await keeper.stop(record.name);
  }
  if (isOut || record.wanted !== "stopped") return;
  if (!(await keeper.sleep(record.name))) await keeper.start(record.name);
}

/** Settles what a host program that was ended left half done; one that fails is told of. */
export async function settleAll(means: DatabaseMeans): Promise<void> {
  const { files, lane } = means;
  for (const { database, stage } of files.databases.all()) {
    if (stage !== undefined) continue;
    try {
      await lane(database, async () => {
        if (!files.databases.has(database)) return;
        await settleState(means, database);
        const { spec, inForce } = files.databases.get(database);
        if (inForce !== specSha256(spec)) await settle(means, database);
      });
    } catch (error) {
      log("error", `${database} is not as it is wanted: ${messageOf(error)}`);
    }
  }
}
