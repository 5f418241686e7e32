// One request to an endpoint. Whatever a receiver does, it ends within seconds and is an outcome.
import type { Context } from "../core/context.ts";
import { readCapped } from "./body.ts";
import type { Target } from "./resolve.ts";
import { readRetryAfter } from "./schedule.ts";
import { signatureHeaders } from "./sign.ts";

const timeoutSeconds = 10;
const keptBytesMax = 4096;

/** What goes out. */
export interface Parcel {
  readonly deliveryId: string;
  readonly eventType: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly secrets: readonly [string, ...string[]];
}

/** What became of an attempt; without a problem it has succeeded. */
export interface Outcome {
  readonly problem: string | null;
  readonly status: number | null;
  /** The first of the answer's body. */
  readonly body: string | null;
  readonly retryAfterSeconds: number | null;
  readonly milliseconds: number;
}

/** Sends a delivery once; never throws. */
export async function send(context: Context, target: Target, parcel: Parcel): Promise<Outcome> {
  const startedAt = context.now();
  const silent = { status: null, body: null, retryAfterSeconds: null };
  const took = () => context.now().getTime() - startedAt.getTime();
  if (target.kind !== "open") {
    return { ...silent, problem: `The URL ${target.problem}.`, milliseconds: took() };
  }
  try {
    const request = await requestOf(parcel, target.url, startedAt);
    const response = await context.outbound.fetch(request);
    const body = await readCapped(response, keptBytesMax).catch(() => null);
    return {
      problem: problemOf(response),
      status: response.status,
      body,
      retryAfterSeconds: readRetryAfter(response.headers.get("retry-after"), context.now()),
      milliseconds: took(),
    };
  } catch (error) {
    return { ...silent, problem: wordsOf(error), milliseconds: took() };
  }
}

async function requestOf(
  { deliveryId, eventType, body, headers, secrets }: Parcel,
  url: string,
  at: Date,
): Promise<Request> {
  const timestampSeconds = Math.floor(at.getTime() / 1000);
  return new Request(url, {
    method: "POST",
    body,
    headers: {
      ...headers,
      "content-type": "application/json",
      "user-agent": "MIOSA-Webhooks/1",
      "x-miosa-event": eventType,
      "x-miosa-delivery": deliveryId,
      ...(await signatureHeaders(secrets, { deliveryId, timestampSeconds, body })),
    },
    // What a redirect leads to was not judged.
    redirect: "manual",
    signal: AbortSignal.timeout(timeoutSeconds * 1000),
  });
}

function problemOf({ ok, status }: Response): string | null {
  if (ok) return null;
  const isRedirect = status >= 300 && status < 400;
  return `It answered ${status}${isRedirect ? "; redirects are not followed" : ""}.`;
}

// What the runtime says of a connection may name what is none of the receiver's business.
function wordsOf(error: unknown): string {
  const isLate = error instanceof Error && /Timeout|Abort/.test(error.name);
  return isLate
    ? `It did not answer within ${timeoutSeconds} s.`
    : "It could not be reached, or its answer was broken.";
}
