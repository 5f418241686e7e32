import { z } from "@hono/zod-openapi";
import type { LogLine as HostLine } from "../contract/log.ts";
import type { MetricPoint } from "../contract/metric.ts";
import type { DatabaseSession } from "../contract/session.ts";
import { Time } from "../core/schema.ts";
import type { PlacedDatabase } from "./find.ts";
import { renderDatabase } from "./schema.ts";

/** One session as it is answered. */
export const Session = z
  .object({
    pid: z.int(),
    role: z.string(),
    application_name: z.string(),
    state: z.string().nullable(),
    wait: z.string().nullable(),
    blocked_by: z.array(z.int()),
    query: z.string(),
    age_seconds: z.number(),
    transaction_seconds: z.number().nullable(),
    query_seconds: z.number().nullable(),
  })
  .openapi("Session");

/** Renders a session. */
export function renderSession(session: DatabaseSession): z.infer<typeof Session> {
  return {
    pid: session.pid,
    role: session.role,
    application_name: session.application,
    state: session.state,
    wait: session.wait,
    blocked_by: session.blocked_by,
    query: session.query,
    age_seconds: session.age_seconds,
    transaction_seconds: session.transaction_seconds,
    query_seconds: session.query_seconds,
  };
}

const linesProblem = "must be a whole number from 1 to 1000";

/** Which lines of a log. */
export const LogParameters = z.object({
  lines: z
    .string(linesProblem)
    .regex(/^\d{1,4}$/, linesProblem)
    .transform(Number)
    .refine((lines) => lines >= 1 && lines <= 1000, linesProblem)
    .optional()
    .openapi({ type: "integer", minimum: 1, maximum: 1000 }),
  since: z.iso
    .datetime({
      offset: true,
      message: "must be a time as in RFC 3339, such as 2026-11-22T12:00:00Z",
    })
    .transform((time) => new Date(time).toISOString())
    .optional(),
});

const LogLine = z.object({
  t: Time,
  stream: z.enum(["stdout", "stderr"]),
  source: z.string(),
  level: z.string(),
  line: z.string(),
  message: z.string(),
  sqlstate: z.string().nullable(),
});

/** The answer of `logs`, in the shapes all public clients read. */
export const Logs = z
  .object({
    data: z.object({ database_id: z.string(), logs: z.array(LogLine) }),
    lines: z.array(z.string()),
  })
  .openapi("Logs");

/** Renders a line; `stream` is what older clients colour it by. */
export function renderLine(line: HostLine): z.infer<typeof LogLine> {
  const isError = line.level === "error" || line.level === "fatal";
  return {
    t: line.at,
    stream: isError ? "stderr" : "stdout",
    source: line.source,
    level: line.level,
    line: `${line.at} ${line.source} ${line.level.toUpperCase()}: ${line.message}`,
    message: line.message,
    sqlstate: line.sqlstate,
  };
}

const units: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };
const windowForm = /^\d{1,6}[smhd]?$/;
const windowProblem = "must be from 60s to 7d, such as 15m, 1h, 24h or 7d";

/** How far back. */
export const MetricParameters = z.object({
  window: z
    .string(windowProblem)
    .regex(windowForm, windowProblem)
    .transform((text) => ({
      text,
      seconds: Number.parseInt(text, 10) * (units[text.at(-1) ?? "s"] ?? 1),
    }))
    .refine(({ seconds }) => seconds >= 60 && seconds <= 604_800, windowProblem)
    .prefault("1h")
    .openapi({ type: "string", pattern: windowForm.source, example: "1h" }),
});

const series = [
  "transactions",
  "rollbacks",
  "errors",
  "slow_statements",
  "deadlocks",
  "blocks_hit",
  "blocks_read",
  "temporary_bytes",
  "size_bytes",
  "client_connections",
  "waiting_clients",
  "server_connections",
] as const;

const Point = z.object({ t: Time, value: z.number() });

/** The answer of `metrics`. */
export const Metrics = z
  .object({
    resource_type: z.literal("database"),
    database_id: z.string(),
    window: z.string(),
    window_seconds: z.int(),
    current: z.object({
      state: z.string(),
      engine: z.string(),
      engine_version: z.string(),
      cpu_count: z.int(),
      memory_mb: z.int(),
      storage_mb: z.int(),
      port: z.int(),
      uptime_sec: z
        .int()
        .nullable()
        .openapi({ description: "Since it was made; null while it is not running" }),
      node_id: z.string().openapi({ description: "Id of its host" }),
      ip_address: z.string().openapi({ description: "Name or address it is reached at" }),
      size_bytes: z.int().nullable(),
      client_connections: z.int().nullable(),
      server_connections: z.int().nullable(),
    }),
    totals: z.object({
      transactions: z.int(),
      rollbacks: z.int(),
      errors: z.int(),
      slow_statements: z.int(),
      deadlocks: z.int(),
      /** Share of blocks found in memory; null when none was read. */
      cache_hit_ratio: z.number().nullable(),
    }),
    series: z.record(z.enum(series), z.array(Point)),
  })
  .openapi("Metrics");

/** Renders the points of a window. */
export function renderMetrics(
  found: PlacedDatabase,
  window: { readonly text: string; readonly seconds: number },
  points: readonly MetricPoint[],
  now: Date,
): z.infer<typeof Metrics> {
  const { state, engine, engine_version, cpu_count, memory_mb, storage_mb, port } =
    renderDatabase(found);
  const sum = (name: (typeof series)[number]) => points.reduce((all, it) => all + it[name], 0);
  const [hit, read] = [sum("blocks_hit"), sum("blocks_read")];
  const last = points.at(-1);
  return {
    resource_type: "database",
    database_id: found.row.id,
    window: window.text,
    window_seconds: window.seconds,
    current: {
      ...{ state, engine, engine_version, cpu_count, memory_mb, storage_mb, port },
      uptime_sec: state === "running" ? secondsSince(found.row.createdAt, now) : null,
      node_id: found.host.id,
      ip_address: found.host.publicHost,
      // Every database takes some bytes: this one was not measured yet.
      size_bytes: last?.size_bytes || null,
      client_connections: last?.client_connections ?? null,
      server_connections: last?.server_connections ?? null,
    },
    totals: {
      transactions: sum("transactions"),
      rollbacks: sum("rollbacks"),
      errors: sum("errors"),
      slow_statements: sum("slow_statements"),
      deadlocks: sum("deadlocks"),
      cache_hit_ratio: hit + read === 0 ? null : hit / (hit + read),
    },
    series: Object.fromEntries(
      series.map((name) => [name, points.map((it) => ({ t: it.at, value: it[name] }))]),
    ) as z.infer<typeof Metrics>["series"],
  };
}

function secondsSince(time: Date, now: Date): number {
  return Math.floor((now.getTime() - time.getTime()) / 1000);
}
