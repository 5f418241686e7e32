// Numbers of all databases of a host, minute by minute.
import { mkdirSync } from "node:fs";
import type { CommandHandlers } from "../base/command.ts";
import { openKeptCounters } from "./kept-counters.ts";
import { createLook, type LookParts } from "./look.ts";
import { type MetricFiles, openMetricFiles } from "./metric-file.ts";
import { createMetrics } from "./point.ts";

/** What numbers are made of. */
export interface MetricParts extends Omit<LookParts, "kept"> {
  /** Where they are kept; made when it is not there. */
  readonly directory: string;
}

/** Numbers of a host's databases. */
export interface Metrics {
  /** Looks at all of them; to be called every 15 s. */
  look(): Promise<void>;
  readonly handlers: Pick<CommandHandlers, "database.metrics">;
}

/** Opens what is kept, and begins to look. */
export function openMetrics({ directory, ...parts }: MetricParts): Metrics {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const kept = openKeptCounters(directory);
  const files = openMetricFiles(directory);
  const ofGone: MetricFiles = {
    ...files,
    async remove(database) {
      kept.remove(database);
      await files.remove(database);
    },
  };
  const metrics = createMetrics(createLook({ ...parts, kept }), ofGone, parts.now);
  return {
    look: metrics.look,
    handlers: {
      "database.metrics": async ({ database, window_seconds }) => ({
        points: await metrics.of(database, window_seconds),
      }),
    },
  };
}
