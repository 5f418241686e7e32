// Connections of SQL over HTTP, by login. A login is all of it, password included: what one has
// opened no other gets.
import { createHash } from "node:crypto";
import { HostProblem } from "../base/problem.ts";
import type { SqlConnection } from "./connection.ts";
import type { Login } from "./request.ts";

export interface SqlPoolOptions {
  readonly open: (login: Login, signal: AbortSignal) => Promise<SqlConnection>;
  /** Connections at once of a login to this database. */
  readonly connectionsMax: (database: string) => number;
  /** Requests of one login that wait for a connection. */
  readonly waitingMax: number;
  /** Milliseconds a connection is kept for the next request, and after which it is old. */
  readonly idleMilliseconds: number;
  readonly ageMilliseconds: number;
}

interface Idle {
  readonly connection: SqlConnection;
  readonly timer: NodeJS.Timeout;
}

interface Lane {
  busy: number;
  readonly idle: Idle[];
  readonly waiting: (() => void)[];
}

function keyOf(login: Login): string {
  return createHash("sha256")
    .update(JSON.stringify(Object.values(login)))
    .digest("base64url");
}

/** Resolves when one of `max` places is free; rejects with the signal's reason. */
async function enter(lane: Lane, max: number, waitingMax: number, signal: AbortSignal) {
  if (lane.busy < max) {
    lane.busy++;
    return;
  }
  if (lane.waiting.length >= waitingMax) {
    const message = `More than ${waitingMax} requests of this login wait: send fewer at once.`;
    throw new HostProblem(429, "too_many_requests", message);
  }
  await new Promise<void>((resolve, reject) => {
    const giveUp = () => {
      lane.waiting.splice(lane.waiting.indexOf(go), 1);
      reject(signal.reason);
    };
    const go = () => {
      signal.removeEventListener("abort", giveUp);
      resolve();
    };
    lane.waiting.push(go);
    signal.addEventListener("abort", giveUp, { once: true });
  });
}

function leave(lane: Lane): void {
  const next = lane.waiting.shift();
  // Who waited takes the place over.
  if (next === undefined) lane.busy--;
  else next();
}

/** Remembers for a while which logins were let in. */
function createProven(milliseconds: number) {
  const provenAt = new Map<string, number>();
  return {
    add(key: string): void {
      // The oldest comes first.
      provenAt.delete(key);
      provenAt.set(key, performance.now());
      for (const [each, at] of provenAt) {
        if (performance.now() - at < milliseconds) break;
        provenAt.delete(each);
      }
    },
    has: (key: string) => performance.now() - (provenAt.get(key) ?? -Infinity) < milliseconds,
  };
}

/** Makes the pool; it opens nothing yet. */
export function createSqlPool(options: SqlPoolOptions) {
  const { open, connectionsMax, waitingMax, ageMilliseconds } = options;
  const lanes = new Map<string, Lane>();
  const proven = createProven(ageMilliseconds);

  function forget(key: string, lane: Lane): void {
    if (lane.busy === 0 && lane.idle.length === 0) lanes.delete(key);
  }

  function takeIdle(lane: Lane): SqlConnection | undefined {
    for (;;) {
      const last = lane.idle.pop();
      if (last === undefined) return undefined;
      clearTimeout(last.timer);
      const { connection } = last;
      const isYoung = performance.now() - connection.openedAt < ageMilliseconds;
      if (isYoung && connection.isClean()) return connection;
      connection.destroy();
    }
  }

  function keep(key: string, lane: Lane, connection: SqlConnection): void {
    const timer = setTimeout(() => {
      lane.idle.splice(lane.idle.indexOf(idle), 1);
      connection.destroy();
      forget(key, lane);
    }, options.idleMilliseconds);
    const idle = { connection, timer };
    timer.unref();
    lane.idle.push(idle);
  }

  /** Runs `work` with a connection of the login; `signal` ends the wait for one. */
  async function use<Result>(
    login: Login,
    signal: AbortSignal,
    work: (connection: SqlConnection) => Promise<Result>,
  ): Promise<Result> {
    signal.throwIfAborted();
    const key = keyOf(login);
    const lane = lanes.get(key) ?? { busy: 0, idle: [], waiting: [] };
    lanes.set(key, lane);
    await enter(lane, connectionsMax(login.database), waitingMax, signal);
    let connection: SqlConnection | undefined;
    try {
      connection = takeIdle(lane) ?? (await open(login, signal));
      proven.add(key);
      return await work(connection);
    } finally {
      if (connection?.isClean()) keep(key, lane, connection);
      else connection?.destroy();
      leave(lane);
      forget(key, lane);
    }
  }

  return { use, isProven: (login: Login) => proven.has(keyOf(login)) };
}
