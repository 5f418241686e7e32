// GET /v1?address=…: Postgres' own protocol in WebSocket messages, to a few named places only. GET
// /v2?address=HOST:PORT is the same for tenants' drivers, which know the poolers by their ports.
import type { IncomingMessage } from "node:http";
import { connect, type NetConnectOpts, type Socket } from "node:net";
import { type Duplex, pipeline } from "node:stream";
import { createWebSocketStream, type WebSocket, WebSocketServer } from "ws";
import { HostAddress } from "../src/contract/host.ts";
import { HostProblem } from "./problem.ts";
import type { TokenGate } from "./token.ts";

const messageBytesMax = 16 * 1024 * 1024;
const idleMilliseconds = 60 * 60 * 1000;
const pingMilliseconds = 30 * 1000;

/** Where each name leads. */
export type Targets = Readonly<Record<HostAddress, NetConnectOpts>>;

export interface ProxyOptions {
  readonly targets: Targets;
  readonly gate: TokenGate;
  /** Ports of the poolers, as they stand in tenants' URLs. */
  readonly ports: Readonly<Record<"transaction" | "session", number>>;
  /** Connections at once: those without a token can never take the places of those with one. */
  readonly tenantConnectionsMax: number;
  readonly controlConnectionsMax: number;
}

const openToTenants: ReadonlySet<HostAddress> = new Set(["transaction", "session"]);

// The host's name in an address is the caller's word for this one: it leads nowhere else.
function poolerOf(address: string | null, { ports }: ProxyOptions): HostAddress {
  const port = Number(/:(\d{1,5})$/.exec(address ?? "")?.[1]);
  if (port === ports.transaction) return "transaction";
  if (port === ports.session) return "session";
  const message = `address: HOST:PORT with port ${ports.transaction} or ${ports.session}.`;
  throw new HostProblem(403, "address_not_allowed", message);
}

/** Checks an upgrade request: what it asks for, and whether it may. */
async function admit(url: string, options: ProxyOptions): Promise<HostAddress> {
  const { gate } = options;
  const { pathname, searchParams } = new URL(url, "http://host");
  if (pathname === "/v2") return poolerOf(searchParams.get("address"), options);
  if (pathname !== "/v1") throw new HostProblem(404, "not_found", "WebSockets are at /v1 and /v2.");
  const address = HostAddress.safeParse(searchParams.get("address"));
  if (!address.success) {
    const names = HostAddress.options.join(", ");
    throw new HostProblem(403, "address_not_allowed", `address: one of ${names}.`);
  }
  if (openToTenants.has(address.data)) return address.data;
  const token = searchParams.get("token");
  if (token === null) throw new HostProblem(401, "invalid_token", "This address needs a token.");
  await gate.admitSql(token, address.data);
  return address.data;
}

/** Two connections made one. Streams keep the slower side from filling this program's memory. */
function join(webSocket: WebSocket, target: NetConnectOpts): Socket {
  const socket = connect({ ...target, noDelay: true });
  socket.setTimeout(idleMilliseconds, () => socket.destroy());
  const stream = createWebSocketStream(webSocket);
  pipeline(stream, socket, stream, () => {
    socket.destroy();
    webSocket.terminate();
  });
  return socket;
}

function refuse(socket: Duplex, { status, code, message }: HostProblem): void {
  const body = JSON.stringify({ error: { code, message } });
  const head = [
    `HTTP/1.1 ${status} Refused`,
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}

// A peer that vanished without a word is found by the pong that does not come.
function dropSilentPeers(server: WebSocketServer): NodeJS.Timeout {
  const silent = new WeakSet<WebSocket>();
  server.on("connection", (webSocket) => webSocket.on("pong", () => silent.delete(webSocket)));
  const timer = setInterval(() => {
    for (const webSocket of server.clients) {
      if (silent.has(webSocket)) webSocket.terminate();
      silent.add(webSocket);
      webSocket.ping();
    }
  }, pingMilliseconds);
  return timer.unref();
}

/** The upgrade handler of the HTTP server, and a way to end all connections. */
export function createProxy(options: ProxyOptions) {
  const { targets } = options;
  const server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: messageBytesMax,
    skipUTF8Validation: true,
  });
  const timer = dropSilentPeers(server);
  const open = { tenant: 0, control: 0 };

  function take(address: HostAddress): () => void {
    const kind = openToTenants.has(address) ? "tenant" : "control";
    if (open[kind] >= options[`${kind}ConnectionsMax`]) {
      throw new HostProblem(503, "too_many_connections", "Too many WebSockets are open here.");
    }
    open[kind] += 1;
    return () => {
      open[kind] -= 1;
    };
  }

  async function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on("error", () => socket.destroy());
    try {
      const address = await admit(request.url ?? "/", options);
      if (socket.destroyed) return;
      // Counted until the TCP connection under it closes, also when the handshake fails.
      socket.once("close", take(address));
      server.handleUpgrade(request, socket, head, (webSocket) => {
        server.emit("connection", webSocket, request);
        join(webSocket, targets[address]);
      });
    } catch (error) {
      const internal = new HostProblem(500, "internal", "The host could not answer.");
      refuse(socket, error instanceof HostProblem ? error : internal);
    }
  }

  function close(): void {
    clearInterval(timer);
    for (const webSocket of server.clients) webSocket.terminate();
  }

  return { upgrade, close };
}
