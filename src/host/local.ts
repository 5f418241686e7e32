// One host from the inside of its lane object: its warm connections and its host.

import type { Context } from "../core/context.ts";
import { messageOf, Unreached } from "../core/error.ts";
import { backupEffects } from "./backup-effect.ts";
import { getHost } from "./find.ts";
import { checkHost, commandHost, type HostAccess } from "./host.ts";
import { type HostCommander, hostEffects } from "./host-effect.ts";
import { takeInventory } from "./inventory.ts";
import type { HostCall, HostReply, LocalHostPort } from "./port.ts";
import { factsOf, proveHost } from "./prove.ts";
import { openControlPassword } from "./register.ts";
import { repairSql } from "./repair.ts";
import { sessionSql } from "./session.ts";
import { makeSpare } from "./spare.ts";
import { createSqlPool } from "./sql.ts";
import { storageSql } from "./storage.ts";
import { tenantSql } from "./tenant.ts";
import { sqlToken } from "./token.ts";
import { trashSql } from "./trash.ts";
import { twinSql } from "./twin.ts";

/** What the lane object keeps of its host. */
export interface LocalHost {
  readonly perform: (call: HostCall) => Promise<HostReply>;
  /** Makes one spare database; true when there may be more to make. */
  readonly makeSpare: () => Promise<boolean>;
  readonly closeIdle: () => Promise<void>;
}

/** Opens nothing until the first call; reads the host's row anew for each connection. */
export function localHost(
  context: Pick<Context, "db" | "keyring">,
  access: HostAccess,
  hostId: string,
): LocalHost {
  const login = async () => {
    const row = await getHost(context, hostId);
    return { row, user: row.controlUser, password: await openControlPassword(context, row) };
  };
  // Only for the hop inside the host, where a stale password fails and is asked for again.
  let known: Promise<{ user: string; password: string }> | undefined;
  const pool = createSqlPool(async () => {
    const { row, user, password } = await login();
    known = Promise.resolve({ user, password });
    const token = await sqlToken(access, access.hostKey, hostId, "postgres");
    const database = "postgres";
    return { hostUrl: row.hostUrl, token, address: "postgres", user, password, database };
  });
  const controlLogin = () => {
    known ??= login();
    return known;
  };
  const command: HostCommander = async (name, input) =>
    commandHost(access, await getHost(context, hostId), name, input);
  const effects: LocalHostPort = {
    ...tenantSql(pool, controlLogin),
    ...sessionSql(pool),
    ...twinSql(pool, controlLogin),
    ...storageSql(pool, controlLogin),
    inventory: () => pool.lend(takeInventory),
    ...repairSql(pool, controlLogin),
    ...trashSql(pool, controlLogin),
    ...hostEffects(command),
    ...backupEffects(command),
    checkReady: async () => checkHost(access, await getHost(context, hostId)),
    facts: async () => factsOf(await command("status", {})),
    prove: (candidate) => proveHost(access, hostId, candidate),
  };
  return {
    perform: async ({ name, input }) => {
      try {
        const effect = effects[name] as (...rest: unknown[]) => Promise<unknown>;
        return { error: null, value: JSON.stringify((await effect(...input)) ?? null) };
      } catch (error) {
        return { error: messageOf(error), isUnreached: error instanceof Unreached };
      }
    },
    makeSpare: () => makeSpare(pool, controlLogin, access),
    closeIdle: pool.closeIdle,
  };
}
