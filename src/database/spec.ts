// What a database is to be on its host, as a function of its row: verbs change the row and have it
// applied, and whoever finds another truth on the host applies it again.
import { canonicalJson } from "../contract/canonical.ts";
import type { DatabaseSpec } from "../contract/spec.ts";
import type { Context } from "../core/context.ts";
import { verifierOf } from "./credential.ts";
import { type Limited, limitsOf } from "./size.ts";
import type { DatabaseRow } from "./table.ts";

/** The part of a row a spec is made of. */
export type Specified = Limited &
  Pick<
    DatabaseRow,
    | "id"
    | "loginRole"
    | "passwordSealed"
    | "pendingLoginRole"
    | "pendingPasswordSealed"
    | "formerLogins"
    | "storageState"
    | "suspendAfterSeconds"
    | "allowedAddresses"
  >;

/** So many logins a host lets into one database. */
const loginsMax = 4;

const memoryBytesMin = 64 * 1024 ** 2;
const storageBytesMin = 16 * 1024 ** 2;

/** What a row asks for. The same row asks for the same, to the byte. */
export async function specOf(context: Context, row: Specified): Promise<DatabaseSpec> {
  const limits = limitsOf(row);
  return {
    logins: await loginsOf(context, row),
    transaction: {
      pool_size: limits.poolSize,
      client_connections_max: limits.connectionsMax,
    },
    session: {
      pool_size: limits.sessionConnectionsMax,
      client_connections_max: limits.sessionConnectionsMax,
    },
    memory_bytes: Math.max(limits.memoryBytes, memoryBytesMin),
    processors: limits.cpuCount,
    temporary_bytes_max: limits.temporaryBytesMax,
    storage_bytes_max: Math.max(limits.storageBytesMax, storageBytesMin),
    is_full: row.storageState === "full",
    suspend_after_seconds: row.suspendAfterSeconds,
    allowed_addresses: [...row.allowedAddresses].sort(),
  };
}

/**
 * The logins of a row, the owner first: of a rotation that is under way the new one, which its undo
 * takes away again.
 */
function loginsIn(row: Specified): { readonly name: string; readonly passwordSealed: string }[] {
  const { pendingLoginRole: name, pendingPasswordSealed: passwordSealed } = row;
  const pending = name === null || passwordSealed === null ? [] : [{ name, passwordSealed }];
  const own = { name: row.loginRole, passwordSealed: row.passwordSealed };
  return [...pending, own, ...row.formerLogins].slice(0, loginsMax);
}

function loginsOf(context: Context, row: Specified): Promise<DatabaseSpec["logins"]> {
  const { id } = row;
  return Promise.all(
    loginsIn(row).map(async ({ name, passwordSealed }) => ({
      name,
      verifier: await verifierOf(context, { id, name, passwordSealed }),
    })),
  );
}

/** SHA-256 of a spec's canonical JSON, in hexadecimal, as hosts tell it. */
export async function digestOf(spec: DatabaseSpec): Promise<string> {
  const bytes = new TextEncoder().encode(canonicalJson(spec));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Has the host give a database what its row asks for. */
export async function applySpec(
  context: Context,
  row: Specified & Pick<DatabaseRow, "hostId" | "databaseName">,
): Promise<void> {
  const { hostId, databaseName: database } = row;
  const spec = await specOf(context, row);
  await context.host.command(hostId, "database.configure", { database, spec });
}
