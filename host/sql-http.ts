// POST /sql: statements of tenants over HTTP, in the protocol of `@neondatabase/serverless`. They
// go through the transaction pooler with the tenant's own login, so its limits hold here as well.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Admission } from "./admission.ts";
import type { HostConfig } from "./config.ts";
import { readBody, send } from "./http.ts";
import { poolerFiles, poolerPort } from "./pgbouncer-config.ts";
import { HostProblem } from "./problem.ts";
import { createBudget, defaultSqlBounds, type Holder, type SqlBounds } from "./sql-bound.ts";
import { openSqlConnection } from "./sql-connection.ts";
import { createSqlPool } from "./sql-pool.ts";
import { SqlProblem, sqlErrorBody } from "./sql-problem.ts";
import { loginOf, sqlRequestOf } from "./sql-request.ts";
import { runRequest } from "./sql-run.ts";

const sendMilliseconds = 60_000;

const corsHeaders = {
  "access-control-allow-origin": "*",
  "access-control-allow-methods": "POST, OPTIONS",
  "access-control-allow-headers": [
    ...["authorization", "content-type", "neon-connection-string", "neon-raw-text-output"],
    ...["neon-array-mode", "neon-pool-opt-in", "neon-batch-isolation-level"],
    ...["neon-batch-read-only", "neon-batch-deferrable"],
  ].join(", "),
  "access-control-max-age": "86400",
};

/** Aborts with what to tell the client: it is too late, or the client is gone. */
function watchClient(response: ServerResponse, milliseconds: number) {
  const controller = new AbortController();
  const seconds = milliseconds / 1000;
  const message = `Over HTTP a request may take ${seconds} s: connect for what takes longer.`;
  const late = () => controller.abort(new SqlProblem("57014", message));
  const timer = setTimeout(late, milliseconds);
  const gone = () => controller.abort(new SqlProblem("57014", "The client is gone."));
  response.once("close", gone);
  return {
    controller,
    end: () => {
      clearTimeout(timer);
      response.off("close", gone);
    },
  };
}

function sendAnswer(response: ServerResponse, chunks: readonly Buffer[], holder: Holder): void {
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const timer = setTimeout(() => response.destroy(), sendMilliseconds);
  response.once("close", () => {
    clearTimeout(timer);
    holder.release();
  });
  response.writeHead(200, {
    "content-type": "application/json",
    "content-length": length,
    "cache-control": "no-store",
  });
  for (const chunk of chunks) response.write(chunk);
  response.end();
}

function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) return void response.destroy();
  if (!(error instanceof HostProblem)) {
    send(response, 400, sqlErrorBody(error));
    return;
  }
  const { status, code, message } = error;
  if (status === 429 || status === 503) response.setHeader("retry-after", "1");
  if (status === 413) response.setHeader("connection", "close");
  send(response, status, { code, message });
}

async function readHeld(request: IncomingMessage, bytesMax: number, holder: Holder) {
  return readBody(request, bytesMax, (bytes) => {
    holder.add(bytes);
    if (!holder.isOver()) return;
    throw new HostProblem(503, "too_busy", "Too many large requests at once: try again.");
  });
}

/** Answers /sql; `admission` throws until the host has started. */
export function createSqlHttp(
  config: HostConfig,
  admission: () => Admission,
  bounds: SqlBounds = defaultSqlBounds,
) {
  const { socketDirectory: directory } = poolerFiles(config, "transaction");
  const target = { directory, port: poolerPort(config, "transaction") };
  const pool = createSqlPool({
    ...bounds,
    open: (login, signal) => openSqlConnection(target, login, signal),
    // Enough to keep each backend busy while answers are on their way.
    connectionsMax: (database) => 2 * admission().backendsOf(database),
  });
  const holderOf = createBudget(bounds);
  let requests = 0;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const login = loginOf(request.headers);
    admission().admit({ ...login, peer: request.socket.remoteAddress });
    const holder = holderOf(login.database);
    const watch = watchClient(response, bounds.requestMilliseconds);
    try {
      const body = await readHeld(request, bounds.bodyBytesMax, holder);
      const asked = sqlRequestOf(request.headers, body);
      const { controller } = watch;
      const held = { answerBytesMax: bounds.answerBytesMax, holder };
      const chunks = await pool.use(login, controller.signal, (connection) =>
        runRequest(connection, asked, controller, held),
      );
      watch.end();
      sendAnswer(response, chunks, holder);
    } catch (error) {
      watch.end();
      holder.release();
      throw watch.controller.signal.aborted ? watch.controller.signal.reason : error;
    }
  }

  return async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(corsHeaders)) response.setHeader(name, value);
    if (request.method === "OPTIONS") return void response.writeHead(204).end();
    requests++;
    try {
      if (requests > bounds.requestsMax) {
        throw new HostProblem(503, "too_many_requests", "Too many requests at once: try again.");
      }
      await answer(request, response);
    } catch (error) {
      sendError(response, error);
    } finally {
      requests--;
    }
  };
}
