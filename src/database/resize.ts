import { findOrganization } from "../account/organization.ts";
import type { Context } from "../core/context.ts";
import { ApiError } from "../core/error.ts";
import { ask } from "../host/ask.ts";
import type { SettingChange } from "./configure.ts";
import { type DatabaseSize, limitsOf } from "./size.ts";
import type { DatabaseRow } from "./table.ts";

/**
 * What another size changes of a database.
 * @throws ApiError 422 when the new size's storage is less than what is stored, 503 when its
 *   host does not answer.
 */
export async function changeOfSize(
  context: Context,
  row: DatabaseRow,
  size: DatabaseSize,
): Promise<SettingChange> {
  const planLimits = (await findOrganization(context, row.organizationId)).planLimits[size] ?? {};
  const { storageBytes } = limitsOf({ size, planLimits, ownLimits: row.ownLimits });
  const { hostId, databaseName: database } = row;
  const stored = await ask(() => context.host.command(hostId, "database.measure", { database }));
  const storedBytes = stored.data_bytes + stored.wal_bytes;
  if (storedBytes > storageBytes) {
    throw new ApiError(
      422,
      "VALIDATION_ERROR",
      `size: ${storedBytes} bytes are stored, ${size} holds ${storageBytes}; delete some first.`,
      {
        fields: { size: [`holds ${storageBytes} bytes, ${storedBytes} are stored`] },
        details: { stored_bytes: storedBytes, storage_bytes: storageBytes },
      },
    );
  }
  return { size, planLimits };
}
