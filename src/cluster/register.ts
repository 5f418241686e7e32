import { smallBackends } from "../contract/host.ts";
import { commit } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import { seal, unseal } from "../core/seal.ts";
import { type ClusterRow, cluster } from "./table.ts";

/** What an operator says of a cluster; `controlPassword` is its superuser's, from the host. */
export interface ClusterRegistration {
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
  /** Backends for tenants, as its host has planned; as many as small databases take if absent. */
  readonly backendsMax?: number | undefined;
}

/** Adds a cluster, or tells where a known one is now. The same input twice changes nothing. */
export async function registerCluster(
  context: Context,
  input: ClusterRegistration,
): Promise<{ readonly row: ClusterRow; readonly isNew: boolean }> {
  const { controlPassword, id, ...said } = input;
  const backendsMax = input.backendsMax ?? input.databasesMax * smallBackends;
  const caCertificates = input.caCertificates ?? null;
  const facts = { ...said, backendsMax, caCertificates };
  const purpose = controlPasswordPurpose(id);
  const controlPasswordSealed = await seal(context.keyring, context, purpose, controlPassword);
  const now = context.now();
  context.trail?.tell({ resource: { type: "cluster", id } });
  const register = context.db
    .insert(cluster)
    .values({
      ...facts,
      id,
      controlPasswordSealed,
      state: "active",
      createdAt: now,
      updatedAt: now,
    })
    .onConflictDoUpdate({
      target: cluster.id,
      set: { ...facts, controlPasswordSealed, updatedAt: now },
    })
    .returning();
  const [[row]] = (await commit(context, [register])) as [ClusterRow[]];
  if (row === undefined) throw new Error("The registration returned no row.");
  return { row, isNew: row.createdAt.getTime() === row.updatedAt.getTime() };
}

/** The superuser's password of a cluster, for the control plane's own connections. */
export function openControlPassword(
  context: Pick<Context, "keyring">,
  row: ClusterRow,
): Promise<string> {
  return unseal(context.keyring, controlPasswordPurpose(row.id), row.controlPasswordSealed);
}

/** What a cluster's login is sealed for. */
export function controlPasswordPurpose(clusterId: string): string {
  return `cluster:${clusterId}:control-password`;
}
