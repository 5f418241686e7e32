// Gives a database another size while it runs: no client connection is dropped.
import { eq } from "drizzle-orm";
import { z } from "zod";
import type { Context } from "../core/context.ts";
import { ApiError } from "../core/error.ts";
import { begin, type Do, defineOperation, next, type Undo } from "../operation/define.ts";
import { laneOf } from "./create.ts";
import { type DatabaseSize, databaseSizes, sizeLimits } from "./size.ts";
import { type DatabaseRow, database } from "./table.ts";

const ResizeInput = z.object({
  databaseId: z.string(),
  clusterId: z.string(),
  databaseName: z.string(),
  from: z.enum(databaseSizes),
  to: z.enum(databaseSizes),
});
type ResizeInput = z.infer<typeof ResizeInput>;

const setPools: Do<ResizeInput> = async (context, { input }) => {
  await applyPools(context, input, input.to);
  return next();
};

const restorePools: Undo<ResizeInput> = async (context, { input }) => {
  await applyPools(context, input, input.from);
  return [];
};

const publish: Do<ResizeInput> = async (context, { input }) =>
  next(
    context.db
      .update(database)
      .set({ size: input.to, updatedAt: context.now() })
      .where(eq(database.id, input.databaseId)),
  );

function applyPools(context: Context, input: ResizeInput, size: DatabaseSize): Promise<void> {
  return context.cluster.setPools(input.clusterId, input.databaseName, sizeLimits[size].pools);
}

/** `database.resize`: the poolers' limits first, then what the API says. */
export const resize = defineOperation<ResizeInput>({
  name: "database.resize",
  input: ResizeInput,
  deadlineMinutes: 10,
  attemptsMax: 20,
  steps: {
    setPools: { do: setPools, undo: restorePools },
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
  const { storageBytes } = sizeLimits[to];
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
    {
      databaseId: row.id,
      clusterId: row.clusterId,
      databaseName: row.databaseName,
      from: row.size,
      to,
    },
  );
}
