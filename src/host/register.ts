import { eq } from "drizzle-orm";
import { commit } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { conflict, invalid, messageOf } from "../core/error.ts";
import type { HostFacts } from "../core/host-port.ts";
import { seal, unseal } from "../core/seal.ts";
import { type HostRow, host } from "./table.ts";

/** What an operator says of a host; `controlPassword` is its superuser's, from the host. */
export interface HostRegistration {
  readonly id: string;
  readonly name: string;
  readonly hostUrl: string;
  readonly publicHost: string;
  readonly transactionPort: number;
  readonly sessionPort: number;
  readonly controlUser: string;
  readonly controlPassword: string;
  readonly caCertificates?: string | undefined;
  readonly databasesMax: number;
  /** Backends for tenants; as its host has planned if absent. */
  readonly backendsMax?: number | undefined;
}

/**
 * Adds a host, or tells where a known one is now, once it has proved to be there. The same input
 * twice changes nothing.
 * @throws ApiError 422 naming the field that did not hold; 409 HOST_IS_ANOTHER for a known id at
 *   whose address another Postgres answers
 */
export async function registerHost(
  context: Context,
  input: HostRegistration,
): Promise<{ readonly row: HostRow; readonly isNew: boolean }> {
  const { controlPassword, id, ...said } = input;
  const proved = await prove(context, input);
  await refuseAnother(context, input, proved);
  const caCertificates = input.caCertificates ?? null;
  const { backendsMax = proved.backendsMax } = input;
  const { systemIdentifier, diskFreeBytes, diskTotalBytes, protocol } = proved;
  const seen = { systemIdentifier, diskFreeBytes, diskTotalBytes, protocol };
  const facts = { ...said, ...seen, backendsMax, caCertificates, silentSince: null };
  const purpose = controlPasswordPurpose(id);
  const controlPasswordSealed = await seal(context.keyring, context, purpose, controlPassword);
  const now = context.now();
  context.trail?.tell({ resource: { type: "host", id } });
  const register = context.db
    .insert(host)
    .values({
      ...facts,
      id,
      controlPasswordSealed,
      state: "active",
      createdAt: now,
      updatedAt: now,
    })
    .onConflictDoUpdate({
      target: host.id,
      set: { ...facts, controlPasswordSealed, updatedAt: now },
    })
    .returning();
  const [[row]] = (await commit(context, [register])) as [HostRow[]];
  if (row === undefined) throw new Error("The registration returned no row.");
  return { row, isNew: row.createdAt.getTime() === row.updatedAt.getTime() };
}

async function prove(context: Context, input: HostRegistration): Promise<HostFacts> {
  try {
    return await context.host.prove(input.id, input);
  } catch (error) {
    const said = messageOf(error).replace(/^prove: /, "");
    const [, field = "host_url", reason = said] = /^(\w+): ([\s\S]*)$/.exec(said) ?? [];
    throw invalid(field, reason);
  }
}

// What does not answer for a host's databases is not put in its place, nor made too small.
async function refuseAnother(
  context: Context,
  { id, databasesMax }: HostRegistration,
  { systemIdentifier }: HostFacts,
): Promise<void> {
  const [known] = await context.db.select().from(host).where(eq(host.id, id));
  refuseTooFew(databasesMax, known?.databasesCount ?? 0);
  const before = known?.systemIdentifier ?? null;
  if (before === null || systemIdentifier === null || before === systemIdentifier) return;
  const message =
    `The host ${id} is the Postgres with the system identifier ${before}; there answers ` +
    `${systemIdentifier}. Register that one under another id.`;
  throw conflict("HOST_IS_ANOTHER", message, { known: before, found: systemIdentifier });
}

/** @throws ApiError 422 for fewer databases than there are */
export function refuseTooFew(databasesMax: number, databasesCount: number): void {
  if (databasesMax >= databasesCount) return;
  throw invalid("databases_max", `must be at least ${databasesCount}: so many are there.`);
}

/** The superuser's password of a host, for the control plane's own connections. */
export function openControlPassword(
  context: Pick<Context, "keyring">,
  row: HostRow,
): Promise<string> {
  return unseal(context.keyring, controlPasswordPurpose(row.id), row.controlPasswordSealed);
}

/** What a host's login is sealed for. */
export function controlPasswordPurpose(hostId: string): string {
  return `host:${hostId}:control-password`;
}
