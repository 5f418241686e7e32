// Gives a database another size while it runs: no client connection is dropped.
import { z } from "zod";
import { planOf } from "../account/plan.ts";
import type { Context } from "../core/context.ts";
import { ApiError } from "../core/error.ts";
import { begin, type Do, defineOperation, next, type Undo } from "../operation/define.ts";
import { recordEvent } from "../webhook/event.ts";
import { changeDatabase } from "./change.ts";
import { laneOf } from "./create.ts";
import { loadDatabase } from "./load.ts";
import { applySettings } from "./setting.ts";
import { type DatabaseSize, databaseSizes, limitsOf } from "./size.ts";
import type { DatabaseRow } from "./table.ts";

const ResizeInput = z.object({
  databaseId: z.string(),
  to: z.enum(databaseSizes),
  planLimits: z.record(z.string(), z.number()),
});
type ResizeInput = z.infer<typeof ResizeInput>;

const configure: Do<ResizeInput> = async (context, { input }) => {
  const { row } = await loadDatabase(context, input.databaseId);
  await applySettings(context, { ...row, size: input.to, planLimits: input.planLimits });
  return next();
};

const restore: Undo<ResizeInput> = async (context, { input }) => {
  const { row } = await loadDatabase(context, input.databaseId);
  await applySettings(context, row);
  return [];
};

const publish: Do<ResizeInput> = async (context, { input, operationId }) => {
  const { row } = await loadDatabase(context, input.databaseId);
  const { to: size, planLimits } = input;
  const data = { from: row.size, to: size };
  return next(
    changeDatabase(context, row.id, { size, planLimits }),
    recordEvent(context, "database.resized", row, { operationId, data }),
  );
};

/** `database.resize`: the cluster's limits first, then what the API says. */
export const resize = defineOperation<ResizeInput>({
  name: "database.resize",
  input: ResizeInput,
  deadlineMinutes: 10,
  attemptsMax: 20,
  steps: {
    configure: { do: configure, undo: restore },
    publish: { do: publish },
  },
});

/**
 * Begins to resize a database.
 * @throws ApiError 422 when the new size's storage is less than what is stored.
 */
export async function beginResize(
  context: Context,
  row: DatabaseRow,
  to: DatabaseSize,
  requestId: string,
) {
  const planLimits = (await planOf(context, row.organizationId))[to] ?? {};
  const { storageBytes } = limitsOf({ size: to, planLimits, ownLimits: row.ownLimits });
  const storedBytes = await context.cluster.measure(row.clusterId, row.databaseName);
  if (storedBytes > storageBytes) {
    throw new ApiError(
      422,
      "VALIDATION_ERROR",
      `size: ${storedBytes} bytes are stored, ${to} holds ${storageBytes}; delete some first.`,
      {
        fields: { size: [`holds ${storageBytes} bytes, ${storedBytes} are stored`] },
        details: { stored_bytes: storedBytes, storage_bytes: storageBytes },
      },
    );
  }
  return begin(
    context,
    resize,
    {
      lane: laneOf(row.projectId),
      organizationId: row.organizationId,
      workspaceId: row.workspaceId,
      projectId: row.projectId,
      resourceId: row.id,
      requestId,
    },
    { databaseId: row.id, to, planLimits },
  );
}
