// Postgres' own protocol in WebSocket messages, to a few named places only.
//
//   GET /v1?address=NAME        the control plane's way
//   GET /v2?address=HOST:PORT   the way of tenants with `@neondatabase/serverless`; of the address
//                               the port alone counts, it must be one of the poolers'
import type { IncomingMessage } from "node:http";
import { connect, type NetConnectOpts, type Socket } from "node:net";
import { type Duplex, pipeline } from "node:stream";
import { createWebSocketStream, type WebSocket, WebSocketServer } from "ws";
import { HostAddress } from "../../src/contract/token.ts";
import { messageOf } from "../base/log.ts";
import { HostProblem } from "../base/problem.ts";
import type { TokenGate } from "../base/token.ts";
import type { Admission } from "./admission.ts";
import type { Holder, Holding, Shares } from "./share.ts";
import { meetClient, turnAway } from "./websocket-login.ts";
import { closeBusy, createMeter, type Meter, onceLetIn } from "./websocket-meter.ts";

const messageBytesMax = 16 * 1024 * 1024;
const idleMilliseconds = 60 * 60 * 1000;
const pingMilliseconds = 30 * 1000;

/** Where each name leads, and each port a tenant may name. */
export interface Targets {
  /** Absent where the control plane is given no SQL. */
  readonly names?: Readonly<Record<HostAddress, NetConnectOpts>>;
  readonly ports: ReadonlyMap<number, NetConnectOpts>;
}

export interface ProxyOptions {
  readonly targets: Targets;
  readonly gate: TokenGate;
  /** Throws until the host has started. */
  readonly admission: () => Pick<Admission, "admit">;
  readonly shares: Shares;
  /** Connections at once: those without a token can never take the places of those with one. */
  readonly tenantConnectionsMax: number;
  readonly controlConnectionsMax: number;
}

/** Where a WebSocket leads, and on whose account. */
interface Way {
  readonly kind: "tenant" | "control";
  readonly target: NetConnectOpts;
}

/** Somebody whose WebSocket was opened. */
interface Guest {
  readonly way: Way;
  readonly meter: Meter;
  readonly peer: string | undefined;
  /** Takes it out of the number of strangers. */
  readonly letIn: () => void;
}

/** Checks an upgrade request: what it asks for, and whether it may. */
async function admit(url: string, { gate, targets }: ProxyOptions): Promise<Way> {
  const { pathname, searchParams } = new URL(url, "http://host");
  const text = searchParams.get("address");
  if (pathname === "/v2") return wayOfPort(text, targets);
  if (pathname !== "/v1" || targets.names === undefined) {
    const where = targets.names === undefined ? "/v2" : "/v1 and /v2";
    throw new HostProblem(404, "not_found", `WebSockets are at ${where}.`);
  }
  const address = HostAddress.safeParse(text);
  if (!address.success) {
    const names = HostAddress.options.join(", ");
    throw new HostProblem(403, "address_not_allowed", `address: one of ${names}.`);
  }
  const token = searchParams.get("token");
  if (token === null) throw new HostProblem(401, "invalid_token", "This address needs a token.");
  await gate.admitSql(token, address.data);
  return { kind: "control", target: targets.names[address.data] };
}

function wayOfPort(address: string | null, { ports }: Targets): Way {
  const target = ports.get(Number(/:(\d{1,5})$/.exec(address ?? "")?.[1]));
  if (target !== undefined) return { kind: "tenant", target };
  const message = "address: must be host:port with the port of a DATABASE_URL.";
  throw new HostProblem(403, "address_not_allowed", message);
}

/** Two connections made one. Streams keep the slower side from filling this program's memory. */
function join(webSocket: WebSocket, stream: Duplex, target: NetConnectOpts): Socket {
  const socket = connect({ ...target, noDelay: true });
  socket.setTimeout(idleMilliseconds, () => socket.destroy());
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

/** Leads WebSockets to where they were admitted. */
function createGuide({ shares, admission }: ProxyOptions) {
  /** Gives one who has shown a password a place among the guests. */
  function welcome(who: Holding, webSocket: WebSocket, admitBytes: (holder: Holder) => void) {
    try {
      webSocket.once("close", shares.enterAsGuest(who));
      admitBytes(shares.holderOf(who));
    } catch (error) {
      closeBusy(webSocket, messageOf(error));
    }
  }

  /** Joins a tenant to its pooler once it has said who it is. */
  async function introduce(webSocket: WebSocket, stream: Duplex, guest: Guest): Promise<void> {
    const { way, meter, peer, letIn } = guest;
    const { admit } = admission();
    const login = await meetClient(stream, ({ user, database }) => admit({ user, database, peer }));
    const pooler = join(webSocket, stream, way.target);
    onceLetIn(pooler, () => {
      letIn();
      const who = { database: login?.database ?? "", address: peer };
      welcome(who, webSocket, (holder) => meter.admit(holder, stream, pooler));
    });
  }

  return async (webSocket: WebSocket, guest: Guest): Promise<void> => {
    const { way, meter } = guest;
    meter.attach(webSocket);
    const stream = createWebSocketStream(webSocket);
    if (way.kind === "control") {
      meter.trust();
      join(webSocket, stream, way.target);
      return;
    }
    stream.on("error", () => webSocket.terminate());
    await introduce(webSocket, stream, guest).catch((error) => turnAway(stream, error));
  };
}

/** The upgrade handler of the HTTP server, and a way to end all connections. */
export function createProxy(options: ProxyOptions) {
  const server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: messageBytesMax,
    skipUTF8Validation: true,
  });
  const timer = dropSilentPeers(server);
  const open = { tenant: 0, control: 0 };
  const { shares } = options;
  const follow = createGuide(options);

  function take(kind: Way["kind"]): () => void {
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
      const way = await admit(request.url ?? "/", options);
      if (way.kind === "tenant") options.admission();
      if (socket.destroyed) return;
      // Counted until the TCP connection under it closes, also when the handshake fails.
      socket.once("close", take(way.kind));
      const peer = request.socket.remoteAddress;
      const letIn = way.kind === "tenant" ? shares.enterAsStranger(peer) : () => undefined;
      socket.once("close", letIn);
      const meter = createMeter(socket);
      server.handleUpgrade(request, socket, head, (webSocket) => {
        server.emit("connection", webSocket, request);
        void follow(webSocket, { way, meter, peer, letIn });
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
