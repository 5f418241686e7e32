// One system from its start to its end, and its next start.
import { execFile } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { call, createProject, query } from "../support/client.ts";
import { processesOf } from "../support/process.ts";
import { system as another } from "../support/shared-system.ts";
import { type OwnSystem, type Program, rootfsDirectory, startSystem } from "../support/system.ts";

const launcher = resolve(import.meta.dirname, "../../host/launch/main.ts");
const programs: Program[] = [
  "launcher",
  "host",
  "worker",
  "workerd",
  "postgres",
  "pgbouncer_transaction",
  "pgbouncer_session",
];

let system: OwnSystem;

beforeAll(async () => {
  system = await startSystem();
});

afterAll(() => system?.remove());

test("what comes up is for its owner alone, and says where everything is", async () => {
  expect(statSync(join(system.home, "dev.json")).mode & 0o777).toBe(0o600);
  expect(statSync(system.home).mode & 0o077).toBe(0);
  const { api_url, root_url } = system.dev();
  expect(api_url).toBe(`${root_url}/api/v1`);
  expect((await fetch(`${root_url}/healthz`)).status).toBe(200);
  expect((await fetch(`${root_url}/readyz`)).status).toBe(200);
});

test("nothing that serves runs as root", () => {
  for (const program of programs) {
    expect(statSync(`/proc/${system.pid(program)}`).uid, program).not.toBe(0);
  }
});

test("two systems run side by side and share nothing", async () => {
  const { database } = await createProject(system);
  const theirs = await call(another, "GET", `/databases/${database.id}`);
  expect(theirs.status).toBe(404);
  const { api_key } = system.dev();
  const foreign = await call(another, "GET", "/projects", { key: api_key });
  expect(foreign.status).toBe(401);
});

test("a second start in the same directory is refused and changes nothing", async () => {
  const env = {
    ...process.env,
    MIOSA_HOME: system.home,
    MIOSA_PORT: "1",
    MIOSA_ROOTFS: rootfsDirectory(),
  };
  const second = promisify(execFile)(process.execPath, [launcher], { env });
  await expect(second).rejects.toThrow(/already runs/);
  expect((await call(system, "GET", "/projects")).status).toBe(200);
});

test("a stop leaves no process; the next start has all data at the same URL", async () => {
  const { database } = await createProject(system);
  await query(database.database_url, "create table kept as select 42 as n");
  const before = system.dev();
  await system.stop();
  expect(existsSync(join(system.home, "dev.json"))).toBe(false);
  expect(processesOf(system.home)).toEqual([]);
  await system.start();
  expect(system.dev()).toMatchObject({ api_key: before.api_key, ports: before.ports });
  expect(await query(database.database_url, "select n from kept")).toEqual([{ n: 42 }]);
  await createProject(system);
});
