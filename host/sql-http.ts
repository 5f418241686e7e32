// POST /sql: SQL over HTTP for tenants, as `@neondatabase/serverless` speaks it. Browsers may: who
// has the password of a database may reach it from anywhere.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { NetConnectOpts } from "node:net";
import { messageOf } from "./log.ts";
import { HostProblem } from "./problem.ts";
import { parseSqlRequest, type SqlRequest } from "./sql-request.ts";
import { createAnswerRoom, runSql, type SqlResult } from "./sql-run.ts";

/** Requests at once; more of one database wait at its pooler, or are refused there with words. */
const requestsMax = 1000;
const requestsPerDatabaseMax = 200;
/** A statement that takes longer belongs on a connection of its own. */
const requestMilliseconds = 60_000;

const allowed = {
  "access-control-allow-origin": "*",
  "access-control-allow-methods": "POST, OPTIONS",
  "access-control-allow-headers":
    "authorization, content-type, neon-connection-string, neon-raw-text-output, neon-array-mode, " +
    "neon-batch-isolation-level, neon-batch-read-only, neon-batch-deferrable",
  "access-control-max-age": "86400",
};

const errorFields = [
  ...["severity", "code", "detail", "hint", "position", "internalPosition", "internalQuery"],
  ...["where", "schema", "table", "column", "dataType", "constraint", "file", "line", "routine"],
] as const;

function send(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    ...allowed,
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
  });
  response.end(text);
}

/** What Postgres or the pooler said, field by field; anything else says no more than it may. */
function shapeError(error: unknown): Record<string, unknown> {
  const facts = error as Readonly<Record<string, unknown>>;
  const isSqlState = /^[0-9A-Z]{5}$/.test(String(facts.code));
  if (!isSqlState) {
    const message = `No connection could be made: ${messageOf(error)}`;
    return { message, severity: "FATAL", code: "08006" };
  }
  return Object.fromEntries([
    ["message", messageOf(error)],
    ...errorFields.map((name) => [name, facts[name]]),
  ]);
}

/** Counts requests by database. */
function createRoom() {
  const open = new Map<string, number>();
  let all = 0;
  return (database: string): (() => void) => {
    const own = open.get(database) ?? 0;
    if (all >= requestsMax || own >= requestsPerDatabaseMax) {
      const message = "Too many requests are under way: try again in a second.";
      throw new HostProblem(503, "too_many_requests", message);
    }
    open.set(database, own + 1);
    all += 1;
    return () => {
      all -= 1;
      const left = (open.get(database) ?? 1) - 1;
      if (left === 0) open.delete(database);
      else open.set(database, left);
    };
  };
}

function bodyOf({ begin }: SqlRequest, results: readonly SqlResult[]): unknown {
  return begin === null ? results[0] : { results };
}

/** Makes the handler; `read` reads a request's body. */
export function createSqlHandler(
  target: NetConnectOpts,
  read: (request: IncomingMessage) => Promise<Buffer>,
) {
  const take = createRoom();
  const roomOfOne = createAnswerRoom();

  async function run(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const wanted = parseSqlRequest(request.headers, (await read(request)).toString("utf8"));
    const leave = take(wanted.login.database);
    const ending = new AbortController();
    const room = roomOfOne();
    const timer = setTimeout(() => ending.abort(), requestMilliseconds);
    response.once("close", () => ending.abort());
    try {
      const results = await runSql(wanted, target, { room, signal: ending.signal });
      send(response, 200, bodyOf(wanted, results));
    } finally {
      clearTimeout(timer);
      // What is sent is in memory until it is gone.
      if (response.writableFinished || response.destroyed) room.release();
      else response.once("close", room.release);
      leave();
    }
  }

  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.method === "OPTIONS") return void response.writeHead(204, allowed).end();
    try {
      await run(request, response);
    } catch (error) {
      if (response.headersSent || response.destroyed) return;
      if (!(error instanceof HostProblem)) return send(response, 400, shapeError(error));
      send(response, error.status, { message: error.message, code: error.code });
    }
  };
}
