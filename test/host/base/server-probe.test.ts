import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { probeServer, readAnswer } from "../../../host/base/server-probe.ts";
import { refusal } from "../../../host/edge-sql/startup.ts";

let directory: string;
let server: Server;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "probe-"));
});
afterEach(() => {
  server?.close();
  rmSync(directory, { recursive: true });
});

async function serve(onClient: (socket: Socket) => void): Promise<string> {
  const path = join(directory, "socket");
  server = createServer((socket) => {
    socket.on("error", () => undefined);
    onClient(socket);
  }).listen(path);
  await once(server, "listening");
  return path;
}

const ask = (path: string) =>
  probeServer({ at: { path }, login: { user: "u", database: "d" } }, 200);

test.each([
  ["57P03", "the database system is starting up", "starting"],
  ["57P03", "the database system is in recovery mode", "starting"],
  ["57P03", "the database system is not yet accepting connections", "starting"],
  ["57P03", "the database system is shutting down", "leaving"],
  ["08P01", "pooler is shut down", "leaving"],
  ["53300", "sorry, too many clients already", "answers"],
  ["28P01", "password authentication failed", "answers"],
])("a refusal %s %s means that the server is %s", (code, message, answer) => {
  expect(readAnswer(refusal(code, message))).toBe(answer);
});

test("a server that asks for a password answers", async () => {
  const path = await serve((socket) => {
    socket.once("data", () => socket.write(Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 10])));
  });
  expect(await ask(path)).toBe("answers");
});

test("a server that takes connections and says nothing is silent", async () => {
  expect(await ask(await serve(() => undefined))).toBe("silent");
});

test("a server that has closed its door was told to stop", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  const door = { at: { host: "127.0.0.1", port } };
  expect(await probeServer(door, 200)).toBe("leaving");
});

test("a server that closes at once, and none at all, are silent", async () => {
  expect(await ask(await serve((socket) => socket.end()))).toBe("silent");
  expect(await ask(join(directory, "nobody"))).toBe("silent");
});
