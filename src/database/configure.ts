// Changes what a database has of its host while it lives; no client is dropped. The host is
// told first: the row says only what is in force.
import { z } from "zod";
import type { Statement } from "../core/batch.ts";
import type { Context } from "../core/context.ts";
import {
  begin,
  type Do,
  defineOperation,
  next,
  type OperationDefinition,
  type Undo,
} from "../operation/define.ts";
import { recordEvent } from "../webhook/event.ts";
import { backendsFor, holdBackends } from "./backend.ts";
import { changeDatabase, moveDatabase } from "./change.ts";
import { laneOf } from "./create.ts";
import { loadDatabase } from "./load.ts";
import { databaseSizes } from "./size.ts";
import { applySpec } from "./spec.ts";
import type { DatabaseRow } from "./table.ts";

const Limits = z.record(z.string(), z.number());

/** The columns a database's settings are made of; what is absent stays. */
const SettingChange = z
  .object({
    size: z.enum(databaseSizes),
    planLimits: Limits,
    ownLimits: Limits,
    suspendAfterSeconds: z.int(),
    allowedAddresses: z.array(z.string()),
  })
  .partial();
export type SettingChange = z.infer<typeof SettingChange>;

const ConfigureInput = z.object({ databaseId: z.string(), change: SettingChange });
type ConfigureInput = z.infer<typeof ConfigureInput>;

// What is undefined would hide what the row has.
function defined(change: SettingChange): Partial<DatabaseRow> {
  return Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
}

/** A row as a change is to make it. */
export function changed(row: DatabaseRow, change: SettingChange): DatabaseRow {
  return { ...row, ...defined(change) };
}

// What the host keeps for the database, once the change has come to its end or is undone.
function keep(context: Context, row: DatabaseRow, change: SettingChange): Statement[] {
  const backends = backendsFor(changed(row, change));
  return backends === row.backends ? [] : holdBackends(context, row, backends);
}

const apply: Do<ConfigureInput> = async (context, { input }) => {
  const { row } = await loadDatabase(context, input.databaseId);
  await applySpec(context, changed(row, input.change));
  return next();
};

const restore: Undo<ConfigureInput> = async (context, { input }) => {
  const { row } = await loadDatabase(context, input.databaseId);
  await applySpec(context, row);
  return keep(context, row, {});
};

const publish: Do<ConfigureInput> = async (context, { input, operationId }) => {
  const { row } = await loadDatabase(context, input.databaseId);
  return next(
    changeDatabase(context, row.id, defined(input.change)),
    ...keep(context, row, input.change),
    tell(context, row, input.change, operationId),
  );
};

// As the API names what changed. The plan's numbers go with the size.
const words = {
  planLimits: "limits",
  ownLimits: "limits",
  suspendAfterSeconds: "suspend_after_seconds",
  allowedAddresses: "allowed_addresses",
} as const;

function tell(
  context: Context,
  row: DatabaseRow,
  { size = row.size, ...rest }: SettingChange,
  operationId: string,
): Statement {
  const names = Object.keys(defined(rest)) as (keyof typeof words)[];
  const changed = [...new Set(names.map((name) => words[name]))];
  if (size === row.size) {
    return recordEvent(context, "database.configured", row, { operationId, data: { changed } });
  }
  const data = { from: row.size, to: size, changed: changed.filter((it) => it !== "limits") };
  return recordEvent(context, "database.resized", row, { operationId, data });
}

function operationOf(name: string): OperationDefinition<ConfigureInput> {
  return defineOperation<ConfigureInput>({
    name,
    input: ConfigureInput,
    deadlineMinutes: 10,
    attemptsMax: 20,
    steps: {
      configure: { do: apply, undo: restore },
      publish: { do: publish },
    },
  });
}

/** `database.configure`: limits, suspension, addresses. */
export const configure = operationOf("database.configure");

/** `database.resize`: the same with another size. */
export const resize = operationOf("database.resize");

/**
 * Begins to change a database's settings; a second active operation on it aborts the batch, and so
 * does a host without the backends that it takes more.
 */
export function beginConfigure(
  context: Context,
  row: DatabaseRow,
  change: SettingChange,
  requestId: string | null,
) {
  const { organizationId, workspaceId, projectId, id: resourceId } = row;
  const lane = laneOf(projectId);
  const subject = { lane, organizationId, workspaceId, projectId, resourceId, requestId };
  const definition = change.size === undefined || change.size === row.size ? configure : resize;
  const operation = begin(context, definition, subject, { databaseId: row.id, change });
  // The state may have changed since it was read: then nothing is begun.
  const guard = moveDatabase(context, row, row.state);
  const isMore = backendsFor(changed(row, change)) > row.backends;
  const more = isMore ? keep(context, row, change) : [];
  return { operationId: operation.id, statements: [guard, operation.statement, ...more] };
}
