import { eq } from "drizzle-orm";
import { commit } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { conflict, invalid, messageOf } from "../core/error.ts";
import type { HostFacts } from "../core/host-port.ts";
import { seal } from "../core/seal.ts";
import { sealCheckPurpose } from "./reseal.ts";
import { type HostRow, host } from "./table.ts";

/** What an operator says of a host. */
export interface HostRegistration {
  readonly id: string;
  readonly name: string;
  readonly hostUrl: string;
  readonly publicHost: string;
  readonly transactionPort: number;
  readonly sessionPort: number;
  readonly caCertificates?: string | undefined;
  readonly databasesMax: number;
  /** Backends for tenants; as the host itself says if absent. */
  readonly backendsMax?: number | undefined;
}

/**
 * Adds a host, or tells where a known one is now, once it has proved to be there. The same input
 * twice changes nothing.
 * @throws ApiError 422 naming the field that did not hold; 409 HOST_IS_ANOTHER for a known id at
 *   whose address another host answers
 */
export async function registerHost(
  context: Context,
  input: HostRegistration,
): Promise<{ readonly row: HostRow; readonly isNew: boolean }> {
  const { id, caCertificates = null, ...said } = input;
  const proved = await prove(context, input);
  await refuseAnother(context, input, proved);
  const { backendsMax = proved.backends_max } = input;
  const facts = { ...said, ...seenOf(proved), backendsMax, caCertificates, silentSince: null };
  const checkSealed = await seal(context.keyring, context, sealCheckPurpose(id), id);
  const now = context.now();
  context.trail?.tell({ resource: { type: "host", id } });
  const register = context.db
    .insert(host)
    .values({ ...facts, id, checkSealed, state: "active", createdAt: now, updatedAt: now })
    .onConflictDoUpdate({ target: host.id, set: { ...facts, checkSealed, updatedAt: now } })
    .returning();
  const [[row]] = (await commit(context, [register])) as [HostRow[]];
  if (row === undefined) throw new Error("The registration returned no row.");
  return { row, isNew: row.createdAt.getTime() === row.updatedAt.getTime() };
}

/** What a host says of itself, as its row keeps it. */
export function seenOf(facts: HostFacts) {
  const { identity, disk_free_bytes, disk_total_bytes, protocol } = facts;
  return {
    identity,
    diskFreeBytes: disk_free_bytes,
    diskTotalBytes: disk_total_bytes,
    protocol,
  };
}

async function prove(context: Context, input: HostRegistration): Promise<HostFacts> {
  try {
    return await context.host.prove(input.id, input);
  } catch (error) {
    const said = messageOf(error);
    const [, field = "host_url", reason = said] = /^(\w+): ([\s\S]*)$/.exec(said) ?? [];
    throw invalid(field, reason);
  }
}

// What does not answer for a host's databases is not put in its place, nor made too small.
async function refuseAnother(
  context: Context,
  { id, databasesMax }: HostRegistration,
  { identity }: HostFacts,
): Promise<void> {
  const [known] = await context.db.select().from(host).where(eq(host.id, id));
  refuseTooFew(databasesMax, known?.databasesCount ?? 0);
  if (known === undefined || known.identity === identity) return;
  const message =
    `The host ${id} has the identity ${known.identity}; there answers ${identity}. Register ` +
    "that one under another id.";
  throw conflict("HOST_IS_ANOTHER", message, { known: known.identity, found: identity });
}

/** @throws ApiError 422 for fewer databases than there are */
export function refuseTooFew(databasesMax: number, databasesCount: number): void {
  if (databasesMax >= databasesCount) return;
  throw invalid("databases_max", `must be at least ${databasesCount}: so many are there.`);
}
