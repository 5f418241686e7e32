// The host's HTTP: GET /healthz, POST /commands, POST /sql, GET and PUT /dumps/:id, and the upgrade
// to WebSocket at /v1 and /v2.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type Server } from "node:https";
import { protocolHeader } from "../../src/contract/protocol.ts";
import type { HostConfig } from "../base/config.ts";
import { closeUnlessRead, readBody, send } from "../base/http.ts";
import { log, messageOf } from "../base/log.ts";
import { HostProblem } from "../base/problem.ts";
import type { TokenGate } from "../base/token.ts";
import type { Dumps } from "../dump/dump.ts";
import { sendDump } from "../dump/http.ts";
import type { createProxy } from "../edge-sql/websocket.ts";

const bodyBytesMax = 1024 * 1024;
const drainedBytesMax = 32 * bodyBytesMax;
// An archive takes as long as it takes; a command has half a minute.
const requestMilliseconds = 6 * 3_600_000;
const socketsMax = 12_000;
// Until a login or a token is read, nobody sends more.
const headerBytesMax = 10_000;

export interface ServerOptions {
  readonly gate: TokenGate;
  /** The version that is spoken here. */
  readonly protocolVersion: number;
  /** Carries out the command in a body; throws until the host has started. */
  readonly command: (body: string) => Promise<unknown>;
  /** The same. */
  readonly dumps: () => Pick<Dumps, "store" | "receive">;
  readonly proxy: ReturnType<typeof createProxy>;
  /** Answers /sql. */
  readonly sql: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  /** What does not answer or take commands at the moment; empty when all is well. */
  readonly notReady: () => readonly string[];
}

function tokenOf(request: IncomingMessage): string {
  const token = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? "")?.[1];
  if (token !== undefined) return token;
  throw new HostProblem(401, "invalid_token", "Send a token: Authorization: Bearer ….");
}

async function command(request: IncomingMessage, options: ServerOptions): Promise<unknown> {
  refuseStranger(request.headers[protocolHeader], options.protocolVersion);
  const admitBody = await options.gate.admitCommand(tokenOf(request));
  const body = await readBody(request, bodyBytesMax);
  admitBody(body);
  return { report: await options.command(body.toString("utf8")) };
}

/** @throws HostProblem for a control plane that is more than one version away. */
function refuseStranger(header: string | string[] | undefined, ours: number): void {
  const theirs = Number(header ?? ours);
  if (Math.abs(theirs - ours) <= 1) return;
  const message =
    `This host speaks version ${ours} of the protocol and the control plane ` +
    `${theirs}: upgrade the older one; a difference of one is tolerated.`;
  throw new HostProblem(409, "protocol_mismatch", message);
}

function healthz(response: ServerResponse, options: ServerOptions): void {
  const [missing, protocol] = [options.notReady(), options.protocolVersion];
  if (missing.length === 0) {
    send(response, 200, { ready: true, protocol });
    return;
  }
  const message = `Not answering: ${missing.join(", ")}.`;
  const error = { code: "not_ready", message };
  send(response, 503, { ready: false, protocol, not_ready: missing, error });
}

const dumpRoute = /^(GET|PUT) \/dumps\/([\da-f-]{36})$/;

async function dump(
  method: "GET" | "PUT",
  id: string,
  [request, response]: readonly [IncomingMessage, ServerResponse],
  options: ServerOptions,
): Promise<void> {
  const bytesMax = await options.gate.admitDump(tokenOf(request), method, id);
  const dumps = options.dumps();
  if (method === "GET") return sendDump(dumps.store, id, response);
  try {
    const content = request.iterator({ destroyOnReturn: false });
    send(response, 200, await dumps.receive(id, content, bytesMax));
  } catch (error) {
    await drain(request);
    throw error;
  }
}

// Whoever is still sending would find a broken connection in place of the answer.
async function drain(request: IncomingMessage): Promise<void> {
  let bytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += chunk.length;
    if (bytes > drainedBytesMax) break;
  }
}

async function answer(request: IncomingMessage, response: ServerResponse, options: ServerOptions) {
  const route = `${request.method} ${request.url?.split("?")[0]}`;
  if (route === "POST /sql" || route === "OPTIONS /sql") return options.sql(request, response);
  const [, method, id = ""] = dumpRoute.exec(route) ?? [];
  if (method === "GET" || method === "PUT") return dump(method, id, [request, response], options);
  if (route === "GET /healthz") return healthz(response, options);
  if (route === "POST /commands") return send(response, 200, await command(request, options));
  throw new HostProblem(
    404,
    "not_found",
    "There are GET /healthz, POST /commands, POST /sql, /dumps/:id and WebSockets.",
  );
}

function fail(response: ServerResponse, error: unknown): void {
  if (!(error instanceof HostProblem)) log("error", `A request failed: ${messageOf(error)}`);
  const { status, code, message } =
    error instanceof HostProblem
      ? error
      : new HostProblem(500, "internal", "The host could not do it; its log says why.");
  if (response.headersSent) return void response.destroy();
  closeUnlessRead(response);
  send(response, status, { error: { code, message } });
}

/** Certificate and key in PEM, when the server is to speak HTTPS. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** Makes the server; `listen` starts it. */
export function createHostServer(options: ServerOptions, keyPair?: KeyPair) {
  const limits = {
    maxHeaderSize: headerBytesMax,
    headersTimeout: 10_000,
    requestTimeout: requestMilliseconds,
    keepAliveTimeout: 65_000,
  };
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    response.setHeader(protocolHeader, String(options.protocolVersion));
    answer(request, response, options).catch((error) => fail(response, error));
  };
  const server =
    keyPair === undefined
      ? createServer({ ...limits, noDelay: true }, onRequest)
      : createTlsServer({ ...limits, ...keyPair, noDelay: true }, onRequest);
  server.maxConnections = socketsMax;
  server.on("upgrade", options.proxy.upgrade);
  return server;
}

/** Listens, or rejects with what to do about it. */
export function listen(
  server: ReturnType<typeof createHostServer>,
  { listen: { address, http_port } }: Pick<HostConfig, "listen">,
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const where = `${address} port ${http_port}`;
      const remedy = "stop what listens there or configure another";
      reject(new Error(`listen.http_port: cannot listen on ${where} (${error.code}): ${remedy}.`));
    });
    server.listen(http_port, address, () => resolve());
  });
}

/** Takes a renewed certificate into use. */
export function renewKeyPair(server: ReturnType<typeof createHostServer>, keyPair: KeyPair): void {
  if ("setSecureContext" in server) (server as Server).setSecureContext(keyPair);
}
