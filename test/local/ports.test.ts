import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isFree, keepPorts, type Ports } from "../../local/launch/ports.ts";

let home: string;
const servers: Server[] = [];

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "ports-"));
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  rmSync(home, { recursive: true });
});

async function occupy(port: number): Promise<void> {
  const server = createServer().listen(port, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
}

function keep(isOurs: (name: keyof Ports) => boolean = () => false) {
  return keepPorts({ file: join(home, "ports.json"), home, isOurs });
}

test("ports are free, differ, and are not those of outgoing connections", async () => {
  const { ports } = await keep();
  const all = Object.values(ports);
  expect(new Set(all).size).toBe(3);
  for (const port of all) {
    expect(await isFree(port)).toBe(true);
    expect(port).toBeGreaterThanOrEqual(20_000);
    expect(port).toBeLessThan(32_000);
  }
});

test("the next start has the same ports", async () => {
  const { ports } = await keep();
  expect(await keep()).toEqual({ ports, moved: [] });
});

test("a port that somebody else took is replaced, recorded, and named", async () => {
  const { ports: before } = await keep();
  await occupy(before.session);
  const { ports, moved } = await keep();
  expect(moved).toEqual(["session"]);
  expect(ports.session).not.toBe(before.session);
  expect({ ...ports, session: before.session }).toEqual(before);
  expect(JSON.parse(readFileSync(join(home, "ports.json"), "utf8"))).toEqual(ports);
});

test("a port that a pooler of an earlier start still has is kept", async () => {
  const { ports } = await keep();
  await occupy(ports.transaction);
  expect(await keep((name) => name === "transaction")).toEqual({ ports, moved: [] });
});
