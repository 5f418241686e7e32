// Lets readers in where recovery stopped. Replay holds the locks of transactions that were open at
// the target, such as the very DROP TABLE that is to be undone: who reads that table would wait for
// ever, and on a shared catalog everybody would, who logs in.
import { setTimeout as delay } from "node:timers/promises";
import type { Running } from "../base/running.ts";
import type { Box } from "../instance/box.ts";
import { writeInside } from "../instance/inside.ts";
import { startServer, stopServer } from "../instance/server.ts";
import type { Session } from "../session.ts";

const heldLocks = `
  select count(*)::int as held from pg_locks
  where relation is not null and mode = 'AccessExclusiveLock' and granted`;

const pollMilliseconds = 10;

interface Held extends Record<string, unknown> {
  readonly held: number;
}

interface Recovering extends Record<string, unknown> {
  readonly is_recovering: boolean;
}

async function isRecovering(session: Session): Promise<boolean> {
  const [row] = await session.query<Recovering>("select pg_is_in_recovery() as is_recovering");
  return row?.is_recovering !== false;
}

/**
 * Ends the transactions that were open at the target, when one holds such a lock: the instance is
 * promoted, which ends them, and started again as a standby of nobody, which takes reads only.
 * @returns the process it runs in by now
 */
export async function endOpenTransactions(
  box: Box,
  server: Running,
  session: Session,
  writeStandbySettings: () => void,
): Promise<Running> {
  const [row] = await session.query<Held>(heldLocks);
  if (row === undefined || row.held === 0) return server;
  // At its target a resume promotes. pg_promote() would be noticed up to a second later.
  await session.query("select pg_wal_replay_resume()");
  while (await isRecovering(session)) await delay(pollMilliseconds);
  await session.close();
  await stopServer(server);
  writeStandbySettings();
  writeInside(box.place.box, ["data", "standby.signal"], "", box.uid);
  return startServer(box);
}
