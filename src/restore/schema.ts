import { z } from "@hono/zod-openapi";
import { Label, optional, Time, uuid } from "../core/schema.ts";
import { type Progress as Known, type RestoreRow, restoreModes, restoreSources } from "./table.ts";
import { RestoreTables } from "./table-name.ts";

const Progress = z.object({
  step: z.string().openapi({ example: "replay" }),
  position: z.int().openapi({ description: "How many recoveries begin before it, and it; or 0" }),
  bytes_restored: z.int(),
  bytes_total: z.int(),
  start_lsn: z.string().nullable().openapi({ description: "Where replay of WAL begins" }),
  replayed_lsn: z.string().nullable().openapi({ description: "How far it is" }),
});

function renderProgress({ bytesTotal }: RestoreRow, progress: Known): z.infer<typeof Progress> {
  return { ...progress, bytes_total: bytesTotal ?? 0 };
}

const PassedOver = z.object({
  repository: z.int(),
  backup_id: z.string().nullable().openapi({
    description: "The base backup; null when not even a list of them could be read",
  }),
  problem: z.string().openapi({ description: "Which file is damaged, or what else was wrong" }),
});

const Table = z.object({
  schema: z.string(),
  name: z.string(),
  as: z.string(),
  rows: z.int().nullable().openapi({ description: "Null until it is there" }),
});

/** A restore as it is answered. */
export const Restore = z
  .object({
    id: z.string(),
    state: z.enum(["pending", "running", "succeeded", "failed"]),
    mode: z.enum(restoreModes),
    source: z.enum(restoreSources),
    source_database_id: z.string(),
    database_id: z.string(),
    project_id: z.string(),
    operation_id: z.string(),
    backup_id: z.string().nullable(),
    requested_target: z.string(),
    reached_at: z.string().nullable(),
    evidence: z.string().nullable(),
    repository: z.int().nullable().openapi({
      description: "Where it came from: 1 is beside the host, 2 the object store",
    }),
    passed_over: z.array(PassedOver).openapi({
      description:
        "What would have been nearer but could not be used; the rows are exactly the same",
    }),
    bytes_total: z.int().nullable(),
    progress: Progress.nullable(),
    step_milliseconds: z.record(z.string(), z.int()),
    tables: z.array(Table).nullable().openapi({
      description: "Of mode tables: which came back, in their schema, under which name",
    }),
    preview_id: z.string().nullable().openapi({ description: "The preview it was promoted from" }),
    expires_at: Time.nullable().openapi({ description: "When a preview ends by itself" }),
    ended_at: Time.nullable().openapi({ description: "When a preview ended" }),
    undo_until: Time.nullable(),
    undone_at: Time.nullable(),
    error_message: z.string().nullable(),
    started_at: Time,
    created_at: Time,
    finished_at: Time.nullable(),
  })
  .openapi("Restore");

/** Renders a row. */
export function renderRestore(row: RestoreRow): z.infer<typeof Restore> {
  return {
    id: row.id,
    state: row.state,
    mode: row.mode,
    source: row.source,
    source_database_id: row.sourceDatabaseId,
    database_id: row.databaseId,
    project_id: row.projectId,
    operation_id: row.operationId,
    backup_id: row.backupLabel,
    requested_target: row.requestedTarget,
    reached_at: row.reachedAt,
    evidence: row.evidence,
    repository: row.repository,
    passed_over: row.passedOver.map(({ repository, backup_label, problem }) => {
      return { repository, backup_id: backup_label, problem };
    }),
    bytes_total: row.bytesTotal,
    progress: row.progress === null ? null : renderProgress(row, row.progress),
    step_milliseconds: row.stepMilliseconds,
    tables: row.tables === null ? null : [...row.tables],
    preview_id: row.previewId,
    expires_at: row.expiresAt?.toISOString() ?? null,
    ended_at: row.endedAt?.toISOString() ?? null,
    undo_until: row.asideUntil?.toISOString() ?? null,
    undone_at: row.undoneAt?.toISOString() ?? null,
    error_message: row.errorMessage,
    started_at: row.createdAt.toISOString(),
    created_at: row.createdAt.toISOString(),
    finished_at: row.finishedAt?.toISOString() ?? null,
  };
}

/** A moment, to the microsecond. */
export const Moment = z.iso.datetime({
  offset: true,
  message: "must be a time as in RFC 3339, such as 2026-11-22T12:00:00.123456Z",
});

// Where a new database goes: by default beside the one it was.
const place = {
  project_id: optional(uuid()),
  environment: optional(Label),
  name: optional(Label),
};

const keepProblem = "must be a whole number of seconds from 10 to 3600";

/** Body of `restores.create`. */
export const CreateRestore = z
  .strictObject({
    target_time: optional(Moment),
    backup_id: optional(z.string("must be text").regex(/^[\w-]{1,40}$/, "is not a backup's id")),
    before: optional(z.strictObject({ operation_id: uuid() })),
    restore_point: optional(Label),
    mode: optional(z.enum(restoreModes, `must be one of ${restoreModes.join(", ")}`)),
    tables: optional(RestoreTables).openapi({
      description:
        'Single tables, as "orders", "public.orders" or { schema, name, as }: they come back ' +
        "beside the living ones, with their rows, defaults, indexes and constraints, but without " +
        "foreign keys, triggers and policies. A name that is taken fails the restore, and then " +
        "nothing is copied.",
    }),
    keep_seconds: optional(z.int(keepProblem).min(10, keepProblem).max(3600, keepProblem)).openapi({
      description: "How long a preview stands; an hour when nothing is said",
    }),
    ...place,
  })
  .openapi("CreateRestore", { example: { target_time: "2026-11-22T12:00:00.123456Z" } });

/** Body of `restores.promote`. */
export const PromoteRestore = z
  .strictObject({
    mode: z.enum(["new", "in_place"], 'must be "new" or "in_place"'),
    ...place,
  })
  .openapi("PromoteRestore", { example: { mode: "in_place" } });

/** From which moment to which a database can be recovered. */
export const RecoveryWindow = z
  .object({
    database_id: z.string(),
    earliest: Time.nullable(),
    latest: Time.nullable(),
    gaps: z.array(z.object({ from: Time, to: Time })),
  })
  .openapi("RecoveryWindow");
