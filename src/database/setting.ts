// What a database has of its host, as a function of its row: verbs change the row and have it
// applied, and whoever finds another truth in the host applies it again.
import { backendBytesMin, type DatabaseSettings, defaultSettings } from "../contract/setting.ts";

import type { Context } from "../core/context.ts";
import { type Limited, limitsOf, sizeLimits } from "./size.ts";
import type { DatabaseRow } from "./table.ts";

/** The part of a row settings are made of. */
export type Settable = Limited & Pick<DatabaseRow, "suspendAfterSeconds" | "allowedAddresses">;

/** The settings a row asks for. */
export function settingsOf(row: Settable): DatabaseSettings {
  const limits = limitsOf(row);
  const backends = limits.poolSize + limits.sessionConnectionsMax;
  const perBackend = Math.floor(limits.memoryBytes / backends);
  return {
    transaction: {
      pool_size: limits.poolSize,
      client_connections_max: limits.connectionsMax,
    },
    session: {
      pool_size: limits.sessionConnectionsMax,
      client_connections_max: limits.sessionConnectionsMax,
    },
    suspend_after_seconds: row.suspendAfterSeconds,
    bytes_per_backend: Math.max(perBackend, backendBytesMin),
    cpu_weight: limits.cpuCount * defaultSettings.cpu_weight,
    allowed_addresses: row.allowedAddresses,
  };
}

/** True for a row that asks for what a host gives to every database by itself. */
export function isDefault(row: Settable): boolean {
  const { temporaryBytesMax } = limitsOf(row);
  const isUsual = temporaryBytesMax === sizeLimits.small.temporaryBytesMax;
  return isUsual && isSame(settingsOf(row), defaultSettings);
}

/** True when two settings ask for the same. */
export function isSame(one: DatabaseSettings, other: DatabaseSettings): boolean {
  return canonical(one) === canonical(other);
}

/** Has the host give a database what its row asks for. */
export async function applySettings(
  context: Context,
  row: Settable & Pick<DatabaseRow, "hostId" | "databaseName">,
): Promise<void> {
  const { hostId, databaseName } = row;
  await context.host.limitTemporary(hostId, databaseName, limitsOf(row).temporaryBytesMax);
  await context.host.configureDatabase(hostId, databaseName, settingsOf(row));
}

function canonical(settings: DatabaseSettings): string {
  const { transaction, session, suspend_after_seconds, bytes_per_backend, cpu_weight } = settings;
  return JSON.stringify([
    [transaction.pool_size, transaction.client_connections_max],
    [session.pool_size, session.client_connections_max],
    suspend_after_seconds,
    bytes_per_backend,
    cpu_weight,
    [...settings.allowed_addresses].sort(),
  ]);
}
