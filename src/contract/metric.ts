// What databases do, in numbers.
import { z } from "zod";
import { DatabaseName } from "./name.ts";

/** What one database did in one span of time; counts are of the span, the rest is at its end. */
export const MetricPoint = z.object({
  /** The end of the span, ISO 8601. */
  at: z.iso.datetime(),
  /** Seconds the span lasts. */
  seconds: z.int().min(1),
  transactions: z.int().min(0),
  rollbacks: z.int().min(0),
  /** Errors of level error and above that the servers logged. */
  errors: z.int().min(0),
  /** Statements that took longer than the threshold of slow ones. */
  slow_statements: z.int().min(0),
  blocks_hit: z.int().min(0),
  blocks_read: z.int().min(0),
  deadlocks: z.int().min(0),
  temporary_bytes: z.int().min(0),
  size_bytes: z.int().min(0),
  /** Clients of both poolers, those that wait among them, and backends. */
  client_connections: z.int().min(0),
  waiting_clients: z.int().min(0),
  server_connections: z.int().min(0),
});
export type MetricPoint = z.infer<typeof MetricPoint>;

/** The question about it. */
export const metricCommands = {
  /** Points of the last `window_seconds`, the oldest first; at most some 300 of them. */
  "database.metrics": {
    input: z.strictObject({
      database: DatabaseName,
      window_seconds: z.int().min(60).max(604_800),
    }),
    report: z.object({ points: z.array(MetricPoint) }),
  },
} as const;
