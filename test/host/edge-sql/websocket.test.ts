import { once } from "node:events";
import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { createTokenGate } from "../../../host/base/token.ts";
import type { Caller } from "../../../host/edge-sql/admission.ts";
import { SqlProblem } from "../../../host/edge-sql/problem.ts";
import { createShares } from "../../../host/edge-sql/share.ts";
import { createProxy } from "../../../host/edge-sql/websocket.ts";
import { strangerBytesMax } from "../../../host/edge-sql/websocket-meter.ts";
import type { HostAddress } from "../../../src/contract/token.ts";
import { createSigner } from "../../support/host-token.ts";
import { startupMessage, tlsRequest } from "../../support/startup.ts";

const clusterId = "0195d3a0-0000-7000-8000-000000000001";

let echo: Server;
let http: HttpServer;
let proxy: ReturnType<typeof createProxy>;
let signer: Awaited<ReturnType<typeof createSigner>>;
let reached: number;
let upgraded: Duplex[];
let asked: Caller[];

/** Lets all in but one database. */
function admit(caller: Caller): void {
  asked.push(caller);
  if (caller.database === "closed") throw new SqlProblem("08P01", "login rejected");
}

beforeEach(async () => {
  reached = 0;
  upgraded = [];
  asked = [];
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
      names: {
        transaction: target,
        session: { path: "/nonexistent/socket" },
        postgres: target,
        "transaction-console": target,
        "session-console": target,
      },
      ports: new Map([[6432, target]]),
    },
    admission: () => ({ admit }),
    shares: createShares(),
    gate: createTokenGate({ clusterId, keys: [signer.publicJwk], now: Date.now }),
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
  const withToken = async (address: HostAddress) =>
    `/v1?address=${address}&token=${await signer.sql(address)}`;

  test("carries bytes to a pooler and back", async () => {
    const webSocket = await opened(await withToken("transaction"));
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

  test("is nowhere but at /v1 and /v2", async () => {
    expect(await open("/?address=transaction")).toBe(404);
  });

  test.each(["postgres", "transaction", "transaction-console", "session-console"] as const)(
    "opens %s with its token, once, and not without",
    async (address) => {
      expect(await open(`/v1?address=${address}`)).toBe(401);
      expect(await open(`/v1?address=${address}&token=a.b.c`)).toBe(401);
      expect(reached).toBe(0);
      const path = await withToken(address);
      await opened(path);
      expect(await open(path)).toBe(401);
    },
  );

  test("ends the WebSocket when what it leads to is not there", async () => {
    const webSocket = await opened(await withToken("session"));
    await once(webSocket, "close");
  });

  test("ends a stranger who sends more than a login takes", async () => {
    const webSocket = await opened("/v2?address=host:6432");
    const ended = once(webSocket, "close");
    // An unfinished message says nothing, however long it grows.
    webSocket.send(Buffer.alloc(strangerBytesMax + 1, 1), { fin: false });
    await ended;
    expect(reached).toBe(0);
  });

  test("ends who sends more than a login takes after it, until the pooler lets it in", async () => {
    const webSocket = await opened("/v2?address=host:6432");
    webSocket.send(startupMessage({ user: "usr_a", database: "proj_a" }));
    await once(webSocket, "message");
    const ended = once(webSocket, "close");
    webSocket.send(Buffer.alloc(strangerBytesMax, 1));
    await ended;
  });

  test("limits tenants, without taking the control plane's places", async () => {
    const first = await opened("/v2?address=host:6432");
    await opened("/v2?address=host:6432");
    expect(await open("/v2?address=host:6432")).toBe(503);
    await opened(await withToken("postgres"));
    const [socket] = upgraded;
    first.close();
    await once(socket as Duplex, "close");
    await opened("/v2?address=host:6432");
  });
});

describe("the way of tenants", () => {
  const collected = (webSocket: WebSocket, length: number) =>
    new Promise<Buffer>((resolve) => {
      let bytes = Buffer.alloc(0);
      webSocket.on("message", (data: Buffer) => {
        bytes = Buffer.concat([bytes, data]);
        if (bytes.length >= length) resolve(bytes);
      });
    });

  test.each(["", "?address=6432", "?address=host:1", "?address=host:64321", "?address=host:6432x"])(
    "leads to the poolers' ports alone: /v2%s",
    async (search) => {
      expect(await open(`/v2${search}`)).toBe(403);
      expect(reached).toBe(0);
    },
  );

  test("takes an address for its port, whatever host it names", async () => {
    const webSocket = await opened("/v2?address=elsewhere.example:6432");
    const login = startupMessage({ user: "usr_a", database: "proj_a" });
    const back = collected(webSocket, login.length + 5);
    webSocket.send(login);
    webSocket.send("after");
    expect((await back).equals(Buffer.concat([login, Buffer.from("after")]))).toBe(true);
    expect(asked).toEqual([{ user: "usr_a", database: "proj_a", peer: "127.0.0.1" }]);
  });

  test("reads a login that comes in pieces, after encryption was declined", async () => {
    const webSocket = await opened("/v2?address=host:6432");
    const declined = once(webSocket, "message");
    webSocket.send(tlsRequest());
    expect(String((await declined)[0])).toBe("N");
    const login = startupMessage({ user: "usr_a" });
    const back = collected(webSocket, login.length);
    for (const byte of login) webSocket.send(Buffer.of(byte));
    expect((await back).equals(login)).toBe(true);
    expect(asked).toMatchObject([{ user: "usr_a", database: "usr_a" }]);
  });

  test.each([
    ["who may not come in", startupMessage({ user: "usr_a", database: "closed" }), "rejected"],
    ["what is no login", Buffer.from("GET / HTTP/1.1\r\n\r\n"), "not how a client"],
    ["who names two databases", twoDatabases(), "not how a client"],
  ])("turns away %s with words, before a pooler hears of it", async (_, bytes, words) => {
    const webSocket = await opened("/v2?address=host:6432");
    const answer = collected(webSocket, 1);
    const closed = once(webSocket, "close");
    webSocket.send(bytes);
    expect(String(await answer)).toMatch(/^E.*SFATAL.*C08P01/s);
    expect(String(await answer)).toContain(words);
    await closed;
    expect(reached).toBe(0);
  });
});

function twoDatabases(): Buffer {
  return startupMessage({ user: "usr_a", database: "proj_a\0database\0closed" });
}
