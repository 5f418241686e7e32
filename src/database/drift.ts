// What a host has against what a row asks for: pure, so that a thousand rows take no time.
import type { HostDatabase } from "../contract/database.ts";
import { defaultSettings } from "../contract/setting.ts";
import type { FoundDatabase, FoundRole, HostInventory } from "../core/host-port.ts";
import { isSame, type Settable, settingsOf } from "./setting.ts";
import type { DatabaseRow } from "./table.ts";

/** One way a database differs from its row, in the order in which they are repaired. */
export type Drift = "login" | "password" | "start" | "access" | "objects" | "settings" | "stop";

/** The part of a row a host is compared with. */
export type Wanted = Settable &
  Pick<
    DatabaseRow,
    | "id"
    | "state"
    | "hostId"
    | "databaseName"
    | "ownerRole"
    | "loginRole"
    | "pendingLoginRole"
    | "passwordSealed"
    | "storageState"
    | "updatedAt"
  >;

/** What was found, by name. */
export interface Found {
  readonly databases: ReadonlyMap<string, FoundDatabase>;
  readonly roles: ReadonlyMap<string, FoundRole>;
  readonly hosts: ReadonlyMap<string, HostDatabase>;
}

// What the platform itself sets for a whole database.
const ourParameters: readonly string[] = ["temp_file_limit"];

/** Makes what was found easy to ask. */
export function foundOf(inventory: HostInventory, hosts: readonly HostDatabase[]): Found {
  return {
    databases: new Map(inventory.databases.map((each) => [each.name, each])),
    roles: new Map(inventory.roles.map((each) => [each.name, each])),
    hosts: new Map(hosts.map((each) => [each.database, each])),
  };
}

/** True for a row whose clients are to be refused. */
function isClosed({ state }: Pick<Wanted, "state">): boolean {
  return state === "stopped" || state === "deleted";
}

/** Every drift of a database that is there. */
export function driftsOf(row: Wanted, found: Found): Drift[] {
  const host = found.hosts.get(row.databaseName);
  const login = found.roles.get(row.loginRole);
  const isOpen = !isClosed(row);
  const isHeld = host?.state === "stopped";
  const drifts: [Drift, boolean][] = [
    ["login", !isLoginRight(row, found)],
    ["password", login?.hasOtherPassword ?? true],
    ["start", isOpen && isHeld],
    // One that is closed refuses everybody, the platform's own look at its objects included.
    ["access", isOpen && !isAccessRight(row, found.databases.get(row.databaseName))],
    ["objects", isOpen && login?.ownsIn.includes(row.databaseName) === true],
    ["settings", !isSame(host?.settings ?? defaultSettings, settingsOf(row))],
    ["stop", !isOpen && !isHeld],
  ];
  return drifts.flatMap(([drift, isThere]) => (isThere ? [drift] : []));
}

/**
 * The role a database's login becomes: its owner or, while it may only read and delete, the role
 * that may do no more; null when that one is not there to be judged by.
 */
export function groupOf(row: Wanted, { roles }: Found): string | null {
  if (row.storageState !== "full") return row.ownerRole;
  const reader = readerOf(row);
  return roles.has(reader) ? reader : null;
}

/** The name of the role that may only read and delete. */
export function readerOf({ ownerRole }: Pick<Wanted, "ownerRole">): string {
  return ownerRole.replace(/^own_/, "ro_");
}

/** Parameters of a whole database that nobody of ours has set. */
export function foreignParameters(database: FoundDatabase | undefined): string[] {
  return (database?.parameters ?? []).filter((name) => !ourParameters.includes(name));
}

function isLoginRight(row: Wanted, found: Found): boolean {
  const owner = found.roles.get(row.ownerRole);
  const login = found.roles.get(row.loginRole);
  if (owner === undefined || owner.hasPower || owner.canLogin) return false;
  if (login === undefined || login.hasPower || login.isLimited || !login.canLogin) return false;
  const group = groupOf(row, found);
  return group === null || [login.memberOf, login.becomes].every((names) => isOnly(names, group));
}

function isOnly(names: readonly string[], name: string): boolean {
  return names.length === 1 && names[0] === name;
}

function isAccessRight(row: Wanted, database: FoundDatabase | undefined): boolean {
  if (database === undefined) return true;
  const { allowsConnections, connectionLimit, privileges } = database;
  if (!allowsConnections || connectionLimit !== -1) return false;
  if ((privileges[""] ?? "") !== "" || foreignParameters(database).length > 0) return false;
  const needed = row.storageState === "full" ? "c" : "CTc";
  return [...needed].every((each) => privileges[row.ownerRole]?.includes(each) === true);
}
