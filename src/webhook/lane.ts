import { type SQL, sql } from "drizzle-orm";

const prefix = "webhook:";

/** The lane of an endpoint: each has its own, so that none waits for another. */
export function laneOfWebhook(id: string): string {
  return `${prefix}${id}`;
}

/** The same of a column. */
export function laneName(id: SQL): SQL {
  return sql`${prefix} || ${id}`;
}

/** The endpoint a lane is of; null for a lane of something else. */
export function webhookIn(lane: string): string | null {
  return lane.startsWith(prefix) ? lane.slice(prefix.length) : null;
}
