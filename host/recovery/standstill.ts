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

/** How an instance is held where recovery ended. */
export interface Standstill {
  /** Writes the settings of a standby of nobody. */
  readonly asStandby: () => void;
  /** Recovery ended by itself, with the last of its WAL. */
  readonly isPromoted: boolean;
}

/**
 * Has a recovered instance take reads only, which nothing holds up. When a transaction that was
 * open at the target holds such a lock it is promoted, which ends it; one that is promoted is
 * started again as a standby of nobody.
 * @returns the process it runs in by now
 */
export async function holdStill(
  box: Box,
  server: Running,
  session: Session,
  { asStandby, isPromoted }: Standstill,
): Promise<Running> {
  if (!isPromoted) {
    const [row] = await session.query<Held>(heldLocks);
    if (row === undefined || row.held === 0) return server;
    // At its target a resume promotes. pg_promote() would be noticed up to a second later.
    await session.query("select pg_wal_replay_resume()");
    while (await isRecovering(session)) await delay(pollMilliseconds);
  }
  await session.close();
  await stopServer(server);
  asStandby();
  writeInside(box.place.box, ["data", "standby.signal"], "", box.uid);
  return startServer(box);
}
