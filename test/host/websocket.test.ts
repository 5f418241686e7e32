import { once } from "node:events";
import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { createTokenGate } from "../../host/token.ts";
import { createProxy } from "../../host/websocket.ts";
import { createSigner } from "../support/host-token.ts";

const clusterId = "0195d3a0-0000-7000-8000-000000000001";

let echo: Server;
let http: HttpServer;
let proxy: ReturnType<typeof createProxy>;
let signer: Awaited<ReturnType<typeof createSigner>>;
let reached: number;
let upgraded: Duplex[];

beforeEach(async () => {
  reached = 0;
  upgraded = [];
  echo = createServer((socket: Socket) => {
    reached += 1;
    socket.pipe(socket).on("error", () => socket.destroy());
  });
  echo.listen(0, "127.0.0.1");
  await once(echo, "listening");
  const target = { host: "127.0.0.1", port: (echo.address() as AddressInfo).port };
  signer = await createSigner(clusterId);
  proxy = createProxy({
    targets: {
      transaction: target,
      session: { path: "/nonexistent/socket" },
      postgres: target,
      "transaction-console": target,
      "session-console": target,
    },
    gate: createTokenGate({ clusterId, keys: [signer.publicJwk], now: Date.now }),
    ports: { transaction: 6432, session: 6433 },
    tenantConnectionsMax: 2,
    controlConnectionsMax: 2,
  });
  http = createHttpServer();
  http.on("upgrade", proxy.upgrade);
  http.on("upgrade", (_, socket) => upgraded.push(socket));
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
});

afterEach(() => {
  proxy.close();
  http.close();
  echo.close();
});

/** A WebSocket that is open, or the status it was refused with. */
function open(path: string): Promise<WebSocket | number> {
  const webSocket = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}${path}`);
  return new Promise((resolve) => {
    webSocket.once("open", () => resolve(webSocket));
    webSocket.once("unexpected-response", (_, response) => resolve(response.statusCode ?? 0));
    webSocket.on("error", () => undefined);
  });
}

async function opened(path: string): Promise<WebSocket> {
  const webSocket = await open(path);
  if (typeof webSocket === "number") throw new Error(`refused with ${webSocket}`);
  return webSocket;
}

describe("the proxy", () => {
  test("carries bytes to a pooler and back, without a token", async () => {
    const webSocket = await opened("/v1?address=transaction");
    const bytes = Buffer.alloc(3 * 1024 * 1024, "miosa");
    const back: Buffer[] = [];
    let length = 0;
    const all = new Promise<void>((resolve) => {
      webSocket.on("message", (data: Buffer) => {
        back.push(data);
        length += data.length;
        if (length === bytes.length) resolve();
      });
    });
    webSocket.send(bytes);
    await all;
    expect(Buffer.concat(back).equals(bytes)).toBe(true);
  });

  test.each([
    "",
    "?address=",
    "?address=127.0.0.1:22",
    "?address=localhost",
    "?address=toString",
    "?address=Postgres",
  ])("reaches nothing but the addresses it knows: /v1%s", async (query) => {
    expect(await open(`/v1${query}`)).toBe(403);
    expect(reached).toBe(0);
  });

  test("is nowhere but at /v1", async () => {
    expect(await open("/?address=transaction")).toBe(404);
  });

  test.each(["postgres", "transaction-console", "session-console"] as const)(
    "opens %s with its token, once, and not without",
    async (address) => {
      expect(await open(`/v1?address=${address}`)).toBe(401);
      expect(await open(`/v1?address=${address}&token=a.b.c`)).toBe(401);
      expect(reached).toBe(0);
      const path = `/v1?address=${address}&token=${await signer.sql(address)}`;
      await opened(path);
      expect(await open(path)).toBe(401);
    },
  );

  test("ends the WebSocket when what it leads to is not there", async () => {
    const webSocket = await opened("/v1?address=session");
    await once(webSocket, "close");
  });

  test("limits tenants, without taking the control plane's places", async () => {
    const first = await opened("/v1?address=transaction");
    await opened("/v1?address=transaction");
    expect(await open("/v1?address=transaction")).toBe(503);
    await opened(`/v1?address=postgres&token=${await signer.sql("postgres")}`);
    const [socket] = upgraded;
    first.close();
    await once(socket as Duplex, "close");
    await opened("/v1?address=transaction");
  });
});
