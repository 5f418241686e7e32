// A host whose disk is gone: a new and empty one is never made in its place, and what was there
// is served again once it is back.
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { operatorClient } from "../support/client.ts";
import { type OwnSystem, startSystem } from "../support/system.ts";

let system: OwnSystem;
let host: string;
const lastWords = () => readFileSync(join(system.home, "log/host.log"), "utf8").slice(-4000);

beforeAll(async () => {
  system = await startSystem();
  host = join(system.home, "host");
  const client = await operatorClient(system);
  await client.query("create table public.kept as select 42 as n");
  await client.end();
});

afterAll(() => system?.remove());

test("with its repository left, the repository is named", async () => {
  await system.stop();
  renameSync(join(host, "data"), join(system.home, "data-away"));
  // As if the host had never been told which Postgres it is.
  const registered = join(system.home, "system-identifier");
  const identifier = readFileSync(registered, "utf8");
  rmSync(registered);
  await expect(system.start()).rejects.toThrow();
  expect(lastWords()).toContain(`the system identifier ${identifier.trim()}`);
  expect(existsSync(join(host, "data/PG_VERSION"))).toBe(false);
  writeFileSync(registered, identifier);
});

test("with nothing left, the registered one is named", async () => {
  renameSync(host, join(system.home, "host-away"));
  await expect(system.start()).rejects.toThrow();
  expect(lastWords()).toContain("is gone, which held the Postgres that is registered");
  expect(existsSync(join(host, "data/PG_VERSION"))).toBe(false);
});

test("once it is back, everything is there", async () => {
  rmSync(host, { recursive: true, force: true });
  renameSync(join(system.home, "host-away"), host);
  rmSync(join(host, "data"), { recursive: true, force: true });
  renameSync(join(system.home, "data-away"), join(host, "data"));
  await system.start();
  const client = await operatorClient(system);
  expect((await client.query("select n from public.kept")).rows).toEqual([{ n: 42 }]);
  await client.end();
});
