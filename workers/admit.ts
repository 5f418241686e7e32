// Who may come in: one whose key is known, and who has not called too often. Nothing is read from
// D1 for a key that has used up its minute, nor for an address that tries wrong keys.
import type { MiddlewareHandler, Context as RequestContext } from "hono";
import {
  type Allowance,
  type Allowances,
  createAllowances,
  type Lease,
  type Wish,
} from "../src/account/allowance.ts";
import {
  authenticate,
  type Caller,
  keyHashIn,
  RefusedCredential,
} from "../src/account/authenticate.ts";
import { ApiError } from "../src/core/error.ts";
import { neighborhoodOf } from "../src/core/network.ts";
import { addressOf } from "./address.ts";
import type { ApiEnv, ContextOf } from "./api.ts";
import type { FindCall } from "./call.ts";
import { type Env, log, now } from "./context.ts";
import { createRefusals } from "./refused.ts";

// Of an address; a key that was right before is not counted.
const wrongKeysPerMinute = 300;
const askMilliseconds = 500;
const knownKeysMax = 10_000;

type Call = RequestContext<ApiEnv>;

/** Finds out who calls, and refuses whoever calls too often. One for each isolate. */
export function createAdmission(
  contextOf: ContextOf,
  findCall: FindCall,
): MiddlewareHandler<ApiEnv> {
  let allowances: Allowances | undefined;
  // What a key's hash stands for: names in the limiter, no rights. Those are read each time.
  const known = new Map<string, string>();

  const remember = (keyHash: string, name: string) => {
    known.delete(keyHash);
    known.set(keyHash, name);
    const [oldest] = known.keys();
    if (known.size > knownKeysMax && oldest !== undefined) known.delete(oldest);
  };

  const writeRefusal = createRefusals(findCall);

  const identify = async (c: Call, spent: Allowances): Promise<Caller> => {
    const address = addressOf(c);
    const context = await contextOf(c.env);
    c.set("context", context);
    try {
      const keyHash = await keyHashIn(c.req.header("authorization"));
      const name = known.get(keyHash);
      if (name === undefined) refuseFlood(spent, address);
      else refuseSpent(c, spent.refusal(name));
      const credential = { keyHash, adminKey: c.env.MIOSA_ADMIN_KEY, address };
      const caller = await authenticate(context, credential);
      remember(keyHash, keyName(caller.actor.keyId));
      return caller;
    } catch (error) {
      if (!(error instanceof RefusedCredential)) throw error;
      if (error.status === 401 && address !== null) {
        await spent.spend(addressName(address), wrongKeysPerMinute);
      }
      await writeRefusal(c, error);
      throw error;
    }
  };

  return async (c, next) => {
    allowances ??= allowancesOf(c.env);
    const { actor, limits } = await identify(c, allowances);
    for (const { id, rateLimitRpm } of limits) {
      refuseSpent(c, await allowances.spend(keyName(id), rateLimitRpm));
    }
    c.set("actor", actor);
    c.set("receipt", () => []);
    c.var.timing.lap("authenticate");
    await next();
  };
}

const keyName = (keyId: string) => `key:${keyId}`;
const addressName = (address: string) => `address:${neighborhoodOf(address)}`;

function allowancesOf(env: Env): Allowances {
  // Fails open: a limit keeps one caller from being a burden to others, and refusing all of them
  // because it cannot be asked would be the larger one.
  return createAllowances(
    (name, wish) => askWithin(askMilliseconds, env, name, wish),
    () => now().getTime(),
    (error) => log({ level: "warning", message: `A rate limit was not asked: ${error}` }),
  );
}

async function askWithin(milliseconds: number, env: Env, name: string, wish: Wish): Promise<Lease> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error("no answer in time")), milliseconds);
  try {
    return await Promise.race([env.LIMITER.getByName(name).take(wish), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function refuseFlood(allowances: Allowances, address: string | null): void {
  const refusal = address === null ? null : allowances.refusal(addressName(address));
  if (refusal === null) return;
  const message = `More than ${wrongKeysPerMinute} wrong API keys in a minute came from there.`;
  throw tooMany(message, refusal);
}

function refuseSpent(c: Call, allowance: Allowance | null): void {
  if (allowance === null) return;
  // Of its own and those of the keys it comes from, the one with least left.
  const { remaining = Number.POSITIVE_INFINITY } = c.var.allowance ?? {};
  if (allowance.remaining < remaining) c.set("allowance", allowance);
  if (allowance.isAllowed) return;
  const { limit } = allowance;
  const message = `This API key, or one it comes from, makes more than ${limit} requests a minute.`;
  throw tooMany(message, allowance);
}

function tooMany(message: string, { retrySeconds, limit }: Allowance): ApiError {
  const remedy = `Repeat it in ${retrySeconds} s.`;
  return new ApiError(429, "rate_limit_exceeded", `${message} ${remedy}`, {
    retryAfterSeconds: retrySeconds,
    details: { limit },
  });
}

/** Tells a caller what is left to it. */
export function writeAllowance(headers: Headers, allowance: Allowance): void {
  headers.set("ratelimit-limit", String(allowance.limit));
  headers.set("ratelimit-remaining", String(allowance.remaining));
  headers.set("ratelimit-reset", String(allowance.resetSeconds));
  headers.set("ratelimit-policy", `${allowance.limit};w=60`);
}
