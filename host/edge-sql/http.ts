// POST /sql: statements of tenants over HTTP, in the protocol of `@neondatabase/serverless`. They
// go through the transaction pooler with the tenant's own login, so its limits hold here as well.
import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline, Readable } from "node:stream";
import { closeUnlessRead, readBody, send } from "../base/http.ts";
import { HostProblem } from "../base/problem.ts";
import { createRounds } from "../base/round.ts";
import { createQueue } from "../base/turn.ts";
import type { Admission } from "./admission.ts";
import { bodyWeight, defaultSqlBounds, largeBytes, type SqlBounds } from "./bound.ts";
import { openSqlConnection, type SqlTarget } from "./connection.ts";
import { createSqlPool } from "./pool.ts";
import { SqlProblem, sqlErrorBody } from "./problem.ts";
import { type Login, loginOf, sqlRequestOf } from "./request.ts";
import { runRequest } from "./run.ts";
import type { Holder, Shares } from "./share.ts";

const sendMilliseconds = 60_000;
// A login costs this program a thousand hashes: many strangers at once would take a processor.
const strangersAtOnce = { all: 4, perAddress: 2 };

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
  // As fast as the client takes it, and no faster: what is written at once is held twice.
  pipeline(Readable.from(chunks), response, () => undefined);
}

function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) return void response.destroy();
  closeUnlessRead(response);
  if (!(error instanceof HostProblem)) {
    send(response, 400, sqlErrorBody(error));
    return;
  }
  const { status, code, message } = error;
  if (status === 429 || status === 503) response.setHeader("retry-after", "1");
  send(response, status, { code, message });
}

async function readHeld(request: IncomingMessage, bytesMax: number, holder: Holder) {
  return readBody(request, bytesMax, (bytes) => {
    holder.add(bodyWeight * bytes);
    if (!holder.isOver()) return;
    throw new HostProblem(503, "too_busy", "Too many large requests at once: try again.");
  });
}

/** What finds out whether a password is right: before more than a head is read. */
function createProof({ use, isProven }: ReturnType<typeof createSqlPool>, shares: Shares) {
  const strangers = createQueue(strangersAtOnce.all, strangersAtOnce.perAddress);
  return async (login: Login, address: string | undefined, signal: AbortSignal) => {
    if (isProven(login)) return;
    const leave = shares.enterAsStranger(address);
    try {
      const leaveQueue = await strangers.enter(address ?? "", signal);
      await use(login, signal, async () => undefined).finally(leaveQueue);
    } finally {
      leave();
    }
  };
}

/** Answers /sql by the pooler at `target`; `admission` throws until the host has started. */
export function createSqlHttp(
  target: SqlTarget,
  admission: () => Admission,
  shares: Shares,
  bounds: SqlBounds = defaultSqlBounds,
) {
  const pool = createSqlPool({
    ...bounds,
    open: (login, signal) => openSqlConnection(target, login, signal),
    // Enough to keep each backend busy while answers are on their way.
    connectionsMax: (database) => 2 * admission().backendsOf(database),
  });
  const prove = createProof(pool, shares);
  const rounds = createRounds();

  /** Reads and carries out a request; the answer in pieces, which `holder` holds. */
  async function carryOut(
    request: IncomingMessage,
    [login, holder]: readonly [Login, Holder],
    controller: AbortController,
  ): Promise<readonly Buffer[]> {
    const { signal } = controller;
    const body = await readHeld(request, bounds.bodyBytesMax, holder);
    if (body.length > largeBytes) await rounds.turn();
    const asked = sqlRequestOf(request.headers, body);
    const held = { answerBytesMax: bounds.answerBytesMax, holder, rounds };
    return pool.use(login, signal, (connection) => runRequest(connection, asked, controller, held));
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const login = loginOf(request.headers);
    const { remoteAddress: address } = request.socket;
    admission().admit({ ...login, peer: address });
    const who = { database: login.database, address };
    const holder = shares.holderOf(who);
    const watch = watchClient(response, bounds.requestMilliseconds);
    const { controller } = watch;
    try {
      await prove(login, address, controller.signal);
      const leave = shares.enterAsGuest(who);
      const chunks = await carryOut(request, [login, holder], controller).finally(leave);
      sendAnswer(response, chunks, holder);
    } catch (error) {
      holder.release();
      throw controller.signal.aborted ? controller.signal.reason : error;
    } finally {
      watch.end();
    }
  }

  return async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(corsHeaders)) response.setHeader(name, value);
    if (request.method === "OPTIONS") return void response.writeHead(204).end();
    await answer(request, response).catch((error) => sendError(response, error));
  };
}
