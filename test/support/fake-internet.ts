// The internet of a verb test: receivers by host, and a resolver that knows their addresses.
import type { OutboundPort } from "../../src/core/outbound-port.ts";

/** What a receiver does with a request. */
export type Receiver = (request: Request) => Promise<Response> | Response;

/** A request as a receiver saw it. */
export interface Received {
  readonly url: string;
  readonly headers: Headers;
  readonly text: string;
}

const resolverUrl = "https://resolver.example.com/dns-query";

/** Nothing is there until a test puts it there; every name then has a public address. */
export function createFakeInternet() {
  const receivers = new Map<string, Receiver>();
  const addresses = new Map<string, readonly string[]>();
  const received: Received[] = [];
  const loopback: { closedPorts: ReadonlySet<number> | null } = { closedPorts: null };
  let isResolverUp = true;

  function resolve(url: URL): Response {
    if (!isResolverUp) return new Response("no", { status: 502 });
    const [name = "", type] = [url.searchParams.get("name"), url.searchParams.get("type")];
    const found = addresses.get(name ?? "") ?? (receivers.has(name ?? "") ? ["8.8.8.8"] : null);
    if (found === null) return Response.json({ Status: 3 });
    const answers = found.map((data) => ({ name, type: data.includes(":") ? 28 : 1, data }));
    const wanted = type === "AAAA" ? 28 : 1;
    return Response.json({ Status: 0, Answer: answers.filter((each) => each.type === wanted) });
  }

  const port: OutboundPort = {
    resolverUrl,
    get loopback() {
      return loopback.closedPorts === null ? null : { closedPorts: loopback.closedPorts };
    },
    fetch: async (request) => {
      const url = new URL(request.url);
      if (request.url.startsWith(resolverUrl)) return resolve(url);
      const receiver = receivers.get(url.hostname);
      if (receiver === undefined) throw new Error("connection refused");
      received.push({ url: request.url, headers: request.headers, text: await request.text() });
      return receiver(request);
    },
  };

  return {
    port,
    received,
    /** Puts a receiver at a host. */
    put: (host: string, receiver: Receiver = () => new Response(null, { status: 204 })) => {
      receivers.set(host, receiver);
    },
    /** What a name resolves to. */
    name: (host: string, ...found: string[]) => {
      addresses.set(host, found);
    },
    /** Whether the resolver answers. */
    resolver: (isUp: boolean) => {
      isResolverUp = isUp;
    },
    /** The development setting. */
    openLoopback: (...closedPorts: number[]) => {
      loopback.closedPorts = new Set(closedPorts);
    },
  };
}
