import type { MiddlewareHandler, Context as RequestContext } from "hono";
import { sha256 } from "../src/account/authenticate.ts";
import {
  giveUpTurn,
  type KeyedRequest,
  receiptOf,
  type StoredAnswer,
  storeAnswer,
  takeTurn,
} from "../src/account/idempotency.ts";
import type { Context } from "../src/core/context.ts";
import { ApiError } from "../src/core/error.ts";
import type { ApiEnv } from "./api.ts";
import { isStreamed } from "./stream.ts";

const mutations = new Set(["POST", "PUT", "PATCH", "DELETE"]);
const pollMilliseconds = 50;
const pollMillisecondsMax = 500;
// Longer than a dead holder keeps its turn, shorter than clients wait for an answer.
const waitMilliseconds = 15_000;

/** Answers `GET path` to the same caller: for a request whose holder died after its commit. */
export type Render = (path: string, c: RequestContext<ApiEnv>) => Promise<Response>;

/** Gives a mutation with an `Idempotency-Key` one turn, and whoever repeats it the same answer. */
export function idempotent(render: Render): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const key = c.req.header("idempotency-key");
    if (key === undefined || !mutations.has(c.req.method)) return next();
    const { context, actor } = c.var;
    const { pathname, search } = new URL(c.req.url);
    // What is streamed is known by its length alone: it can be read but once.
    const body = isStreamed(c.req) ? c.req.header("content-length") : await c.req.text();
    const text = `${c.req.method} ${pathname}${search} ${actor.workspaceId}\n${body}`;
    const requestHash = await sha256(text);
    const { organizationId, keyId } = actor;
    const request = { organizationId, keyId, key, requestHash };
    const turn = await waitForTurn(context, request);
    if (turn.kind === "answer") return replay(turn.answer);
    const { holder } = turn;
    if (turn.kind === "render") {
      const rendered = await render(turn.path, c);
      if (!rendered.ok) return rendered;
      const answer = { status: 201, body: await rendered.text() };
      await storeAnswer(context, request, holder, answer);
      return replay(answer);
    }
    const { receipt } = c.var;
    c.set("receipt", (path) => [...receipt(path), receiptOf(context, request, holder, path)]);
    await next();
    if (!c.res.ok) return giveUpTurn(context, request, holder);
    const answer = c.res.status === 204 ? null : await c.res.clone().text();
    await storeAnswer(context, request, holder, { status: c.res.status, body: answer });
  };
}

async function waitForTurn(context: Context, request: KeyedRequest) {
  let pause = pollMilliseconds;
  for (let waited = 0; waited < waitMilliseconds; waited += pause) {
    const turn = await takeTurn(context, request);
    if (turn.kind !== "wait") return turn;
    pause = Math.min(pause * 1.5, pollMillisecondsMax);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
  const message = "The same request is still being carried out; repeat it later.";
  throw new ApiError(409, "IDEMPOTENCY_IN_PROGRESS", message, { retryAfterSeconds: 2 });
}

function replay({ status, body }: StoredAnswer): Response {
  const headers = new Headers({ "idempotency-replayed": "true", "cache-control": "no-store" });
  if (body !== null) headers.set("content-type", "application/json");
  return new Response(body, { status, headers });
}
