// A name is looked up at creation and before each delivery, as it may mean another address by
// then. What a request connects to cannot be pinned; a Worker has no network inside to reach.
import { z } from "zod";
import type { Context } from "../core/context.ts";
import { ApiError, invalid, messageOf } from "../core/error.ts";
import { type Address, isPublic, readAddress } from "./address.ts";
import { readCapped } from "./body.ts";

const timeoutMilliseconds = 5000;
const answerBytesMax = 65_536;
const retrySeconds = 30;
const recordTypes = { A: 1, AAAA: 28 } as const;

const DnsAnswer = z.object({
  Status: z.int(),
  Answer: z.array(z.object({ type: z.int(), data: z.string() })).optional(),
});

/** A URL that may be called now, or why not. */
export type Target =
  | { readonly kind: "open"; readonly url: string }
  /** Never, as it is. */
  | { readonly kind: "refused"; readonly problem: string }
  /** Its name has no address. */
  | { readonly kind: "unknown"; readonly problem: string }
  /** Nobody could say. */
  | { readonly kind: "silent"; readonly problem: string };

/** Judges a URL by its spelling, then by every address its name has. */
export async function resolveTarget(context: Context, text: string): Promise<Target> {
  const address: Address = readAddress(text, context.outbound.loopback);
  if (address.problem !== null) return { kind: "refused", problem: address.problem };
  const { url, hostname } = address;
  if (hostname === null) return { kind: "open", url };
  const found = await addressesOf(context, hostname);
  if (found === null) {
    return { kind: "silent", problem: "cannot be looked up now: the resolver does not answer" };
  }
  if (found.length === 0)
    return { kind: "unknown", problem: "must name a host that has an address" };
  if (found.every(isPublic)) return { kind: "open", url };
  return { kind: "refused", problem: "must name a host all of whose addresses are public" };
}

/** The URL as it is kept. @throws ApiError 422, retryable where only the resolver was silent */
export async function requireTarget(context: Context, text: string): Promise<string> {
  const target = await resolveTarget(context, text);
  if (target.kind === "open") return target.url;
  if (target.kind !== "silent") throw invalid("url", target.problem);
  throw new ApiError(422, "URL_UNRESOLVABLE", `url: ${target.problem}; try again`, {
    fields: { url: [target.problem] },
    retryAfterSeconds: retrySeconds,
  });
}

async function addressesOf(context: Context, hostname: string): Promise<string[] | null> {
  try {
    const names = ["A", "AAAA"] as const;
    return (await Promise.all(names.map((type) => lookUp(context, hostname, type)))).flat();
  } catch (error) {
    const message = messageOf(error);
    context.log({ level: "warning", message: `The resolver failed: ${message}` });
    return null;
  }
}

async function lookUp(
  { outbound }: Context,
  hostname: string,
  type: keyof typeof recordTypes,
): Promise<string[]> {
  const url = new URL(outbound.resolverUrl);
  url.searchParams.set("name", hostname);
  url.searchParams.set("type", type);
  const request = new Request(url, {
    headers: { accept: "application/dns-json" },
    redirect: "manual",
    signal: AbortSignal.timeout(timeoutMilliseconds),
  });
  const response = await outbound.fetch(request);
  const text = await readCapped(response, answerBytesMax);
  if (!response.ok) throw new Error(`it answered ${response.status}`);
  const { Status: status, Answer: answers = [] } = DnsAnswer.parse(JSON.parse(text));
  // 3: there is no such name. Anything else but 0 says nothing about the name.
  if (status !== 0 && status !== 3) throw new Error(`it answered with status ${status}`);
  return answers.filter((each) => each.type === recordTypes[type]).map(({ data }) => data);
}
