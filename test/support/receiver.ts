// Receivers of webhooks on this machine: one that behaves, and ways not to.
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createSocketServer } from "node:net";

/** A delivery as it came. */
export interface Delivered {
  readonly headers: Record<string, string>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests read whatever JSON came.
  readonly body: any;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** What a receiver does once it has a request. */
export type Manner = (response: ServerResponse, delivered: Delivered) => void;

const politely: Manner = (response) => response.writeHead(204).end();

/** Ways a receiver can be of no use. */
export const badManners: Record<string, Manner> = {
  "hangs before it answers": () => undefined,
  "closes the connection": (response) => response.destroy(),
  "closes within its answer": (response) => {
    response.writeHead(500, { "content-length": "100" });
    response.write("half", () => response.destroy());
  },
  "answers garbage": (response) => response.socket?.end("\0\u0001 not HTTP at all\r\n\r\n"),
  "answers 100 MB": (response) => {
    const chunk = Buffer.alloc(1024 * 1024, "x");
    let left = 100;
    const more = () => {
      while (left-- > 0) if (!response.write(chunk)) return;
      response.end();
    };
    response.on("drain", more).writeHead(500);
    more();
  },
};

/** Starts a receiver, and keeps what it got. */
export async function startReceiver(manner: Manner = politely) {
  const received: Delivered[] = [];
  let behave = manner;
  const server = createServer(async (request, response) => {
    const delivered = await read(request);
    received.push(delivered);
    behave(response, delivered);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/hooks`,
    received,
    behave: (next: Manner) => {
      behave = next;
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function read(request: IncomingMessage): Promise<Delivered> {
  const at = Date.now();
  const text = (await request.toArray()).map(String).join("");
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
  );
  return { headers, text, body: JSON.parse(text), at };
}

/** A resolver of DNS over HTTPS that knows IPv4 addresses. */
export async function startResolver() {
  const addresses = new Map<string, string>();
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? "", "http://127.0.0.1");
    const data = addresses.get(searchParams.get("name") ?? "");
    const isHere = data !== undefined && searchParams.get("type") === "A";
    const answer = isHere ? { Answer: [{ type: 1, data }] } : {};
    response.end(JSON.stringify({ Status: data === undefined ? 3 : 0, ...answer }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/dns-query`, addresses, close: () => server.close() };
}

/** A port of this machine where nobody listens. */
export async function deadUrl(): Promise<string> {
  const server = createSocketServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return `http://127.0.0.1:${port}/`;
}
