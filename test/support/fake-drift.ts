// What hands and tenants change in a host in memory, its inventory, and the repairs.

import type { FoundDatabase, FoundRole, TrashItem } from "../../src/core/host-port.ts";
import type { LocalHostPort } from "../../src/host/port.ts";
import type { Things } from "./fake-host.ts";

/** What differs from what the effects have left. */
export function createDrift() {
  return {
    roleDrift: new Map<string, Partial<FoundRole>>(),
    databaseDrift: new Map<string, Partial<FoundDatabase>>(),
    /** What was put aside, by its name there. */
    trash: new Map<string, TrashItem>(),
  };
}

/** The effects that find drift and repair it. */
export function driftEffects(things: Things) {
  const { roles, databases, roleDrift, databaseDrift, trash } = things;
  return {
    inventory: async () => ({
      // What a restore prepares or put aside is nobody's to find.
      databases: [...databases]
        .filter(([name]) => name.startsWith("proj_"))
        .map(([name, { owner }]) => ({
          ...databaseOf(things, name, owner),
          ...databaseDrift.get(name),
        })),
      // A preview's login is known to the poolers alone.
      roles: [...roles.keys()]
        .filter((name) => !/^(pre|trash)_/.test(name))
        .map((name) => ({ ...roleOf(things, name), ...roleDrift.get(name) })),
    }),
    repairLogin: async ({ ownerRole, loginRole, groupRole, verifier }) => {
      if (!roles.has(ownerRole)) roles.set(ownerRole, { verifier: null, group: null });
      const before = roles.get(loginRole) ?? { verifier: null, group: null };
      roles.set(loginRole, {
        verifier: verifier ?? before.verifier,
        group: groupRole ?? before.group,
      });
      roleDrift.delete(ownerRole);
      const { ownsIn } = roleDrift.get(loginRole) ?? {};
      if (ownsIn === undefined) roleDrift.delete(loginRole);
      else roleDrift.set(loginRole, { ownsIn });
    },
    repairAccess: async ({ databaseName, ownerRole, mayCreate }) => {
      const privileges = mayCreate ? "CTc" : "c";
      databaseDrift.set(databaseName, { privileges: { [ownerRole]: privileges } });
    },
    adoptObjects: async ({ loginRole }) => {
      const { ownsIn, ...others } = roleDrift.get(loginRole) ?? {};
      roleDrift.set(loginRole, others);
    },
    trashOrphan: async (kind, name, day) => {
      const trashName = `trash_${day.replaceAll("-", "")}_${name}`;
      rename(things, kind, name, trashName);
      trash.set(trashName, { kind, name: trashName, formerName: name, day });
    },
    trashItems: async () => [...trash.values()],
    restoreTrash: async ({ kind, name, formerName }) => {
      rename(things, kind, name, formerName);
      trash.delete(name);
    },
    dropTrash: async ({ kind, name }) => {
      if (kind === "database") databases.delete(name);
      else roles.delete(name);
      trash.delete(name);
    },
  } satisfies Partial<LocalHostPort>;
}

function rename({ roles, databases }: Things, kind: TrashItem["kind"], from: string, to: string) {
  const things: Map<string, unknown> = kind === "database" ? databases : roles;
  const thing = things.get(from);
  if (thing === undefined) return;
  things.delete(from);
  things.set(to, thing);
}

function databaseOf({ held }: Things, name: string, owner: string): FoundDatabase {
  return {
    name,
    allowsConnections: held.get(name) !== "stopped",
    connectionLimit: -1,
    privileges: { miosa_platform: "CTc", [owner]: "CTc" },
    parameters: [],
  };
}

function roleOf({ roles }: Things, name: string): FoundRole {
  const { verifier = null, group = null } = roles.get(name) ?? {};
  return {
    name,
    canLogin: verifier !== null,
    hasPower: false,
    isLimited: false,
    memberOf: group === null ? [] : [group],
    becomes: group === null ? [] : [group],
    hasOtherPassword: false,
    ownsIn: [],
  };
}
