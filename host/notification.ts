// The queue of NOTIFY is one for all databases: when it is full, nobody's NOTIFY commits. It is as
// long as the oldest transaction of a session that listens, and which sessions listen nobody sees.
import { reservedDatabases } from "../src/contract/database.ts";
import { log } from "./log.ts";
import type { Session } from "./session.ts";

/** Shares of the queue's 8 GB from which idle transactions end, and then busy ones as well. */
const idleFrom = 0.1;
const busyFrom = 0.5;
const transactionSeconds = 10;

/** Ends tenants' sessions that hold the queue up, once so much of it is used. */
export function createQueueWatch(control: Session) {
  const reserved = reservedDatabases.map((name) => `'${name}'`).join(", ");
  const text = `
    select datname as database, pg_terminate_backend(pid) from pg_stat_activity
    where backend_type = 'client backend' and datname not in (${reserved})
      and xact_start < clock_timestamp() - interval '${transactionSeconds} seconds'
      and (state like 'idle in transaction%' or pg_notification_queue_usage() >= ${busyFrom})`;

  return async (): Promise<void> => {
    const [queue] = await control.query<{ used: number }>(
      "select pg_notification_queue_usage() as used",
    );
    if ((queue?.used ?? 0) < idleFrom) return;
    for (const { database } of await control.query<{ database: string }>(text)) {
      log("warn", "A transaction held up the queue of NOTIFY and was ended", { database });
    }
  };
}
