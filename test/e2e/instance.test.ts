// The Postgres of one database: what it is, what its box holds, and what it takes to stop it. All
// of it real, without a host program.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isRunning } from "../../host/base/running.ts";
import { fleetMark } from "../../host/instance/fleet.ts";
import { readIdentifier } from "../../host/instance/identity.ts";
import { ensureServer, findServers, startServer, stopServer } from "../../host/instance/server.ts";
import { platformSession } from "../../host/instance/session.ts";
import { cgroupTrees, makeCgroup, removeCgroup } from "../support/cgroup.ts";
import { until } from "../support/client.ts";
import { openTestFleet, small, type TestInstance } from "../support/fleet.ts";

let fleet: Awaited<ReturnType<typeof openTestFleet>>;
let one: TestInstance;
let other: TestInstance;
beforeAll(async () => {
  fleet = await openTestFleet();
  [one, other] = await Promise.all([fleet.make("proj_test_one"), fleet.make("proj_test_other")]);
});
afterAll(() => fleet?.remove());

async function ask(instance: TestInstance, text: string): Promise<unknown[][]> {
  const client = await fleet.connect(instance);
  try {
    return (await client.query({ text, rowMode: "array" })).rows;
  } finally {
    await client.end();
  }
}

/** Runs shell text as somebody who became superuser in the box: what it says. */
async function asIntruder(instance: TestInstance, text: string): Promise<string> {
  const session = platformSession(fleet.fleet, fleet.box(instance).place, instance.name);
  try {
    await session.query("drop table if exists public.said; create table public.said (line text)");
    await session.query(
      `copy public.said from program $q$( ${text} ) 2>&1 | tr '\\t' ' '; true$q$`,
    );
    const rows = await session.query<{ line: string }>("select line from public.said");
    return rows.map(({ line }) => line).join("\n");
  } finally {
    await session.close();
  }
}

describe("an instance", () => {
  test("has names, passwords and an identity of its own", async () => {
    const [a, b] = [one, other].map((each) => readIdentifier(fleet.box(each).place.box));
    expect(a).not.toBe(b);
    expect(await ask(one, "select current_database(), current_user")).toEqual([
      ["proj_test_one", "usr_proj_test_one"],
    ]);
    const wrong = { ...one, password: other.password };
    await expect(ask(wrong, "select 1")).rejects.toThrow(/password authentication failed/);
    const owned =
      "select pg_control_system()::text, rolsuper from pg_roles where rolname = current_user";
    const [[control = "", isSuper] = []] = (await ask(one, owned)) as [string, boolean][];
    expect(control).toContain(String(a));
    expect(isSuper).toBe(false);
  });

  test("lets its owner do what an owner does", async () => {
    await ask(one, "create schema app");
    await ask(one, "create table public.kept (id int primary key)");
    await ask(one, "create role reader nologin; grant usage on schema app to reader");
    await ask(one, "create extension pgcrypto");
    expect(
      await ask(one, "select count(*)::int from pg_stat_activity where query <> ''"),
    ).not.toEqual([[0]]);
    await expect(ask(one, "alter system set work_mem = '1GB'")).rejects.toThrow(
      /denied|not allowed/,
    );
    await expect(ask(one, "copy public.kept to program 'true'")).rejects.toThrow(
      /permission denied/,
    );
  });
});

describe("its box", () => {
  test("holds nothing but its directory, its settings and programs, and no network", async () => {
    const top = (await asIntruder(one, "ls -d /*")).replaceAll("\n", " ");
    expect(top).toBe("/bin /dev /etc /instance /lib /lib64 /proc /sbin /settings /usr");
    expect(await asIntruder(one, "cat /proc/net/dev | tail -n +3")).toMatch(/^\s*lo:[^\n]*$/);
    expect(await asIntruder(one, "echo x > /settings/x; echo x > /usr/x; ls /settings/x")).toMatch(
      /Read-only file system[\s\S]*Read-only file system[\s\S]*No such file/,
    );
  });

  test("shows its own processes alone, and reaches no other", async () => {
    const pids = await asIntruder(one, "grep -h ^Name /proc/[0-9]*/status | sort | uniq -c");
    expect(pids).not.toContain("node");
    const { place } = fleet.box(other);
    const tried = await asIntruder(one, `ls ${place.data}; kill -9 ${other.server.pid}`);
    expect(tried).toMatch(/No such file or directory[\s\S]*No such process|No such file/);
    expect(isRunning(other.server)).toBe(true);
    if (process.getuid?.() !== 0) return;
    const uidOf = ({ server }: TestInstance) =>
      /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${server.pid}/status`, "utf8"))?.[1];
    expect(uidOf(one)).not.toBe(uidOf(other));
    expect(Number(uidOf(one))).toBeGreaterThan(0);
  });

  test("ends a query that outgrows its memory, and nothing else", async () => {
    const client = await fleet.connect(one);
    await client.query("set work_mem = '2GB'");
    const hungry = "select array_agg(g) from generate_series(1, 200000000) g";
    await expect(client.query(hungry)).rejects.toThrow(/out of memory|invalid memory alloc/);
    expect((await client.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
    await client.end();
  });

  test("keeps an exhausted lock table to itself", async () => {
    const client = await fleet.connect(one);
    const all = "select count(pg_advisory_lock(g)) from generate_series(1, 1000000) g";
    await expect(client.query(all)).rejects.toThrow(/out of shared memory/);
    expect(await ask(other, "select 1")).toEqual([[1]]);
    await client.end();
  });
});

describe("what its intruder leaves in its directory", () => {
  test("is not followed and not waited for", async () => {
    const made = await fleet.make("proj_test_trap");
    const box = fleet.box(made);
    const { data } = box.place;
    await stopServer(made.server);
    execFileSync("/usr/bin/mkfifo", [join(data, "postmaster.pid")]);
    await expect(startServer(box)).rejects.toThrow(/its postmaster.pid is no file/);
    rmSync(join(data, "postmaster.pid"));
    const server = await startServer(box);
    expect(isRunning(server)).toBe(true);
    await stopServer(server);
  });
});

describe("its Postgres", () => {
  test("leaves no process when it is killed, and has all it acknowledged", async () => {
    const made = await fleet.make("proj_test_killed");
    const client = await fleet.connect(made);
    await client.query("create table t as select 42 as answer");
    const children = () =>
      readdirSync("/proc").filter((pid) => {
        const file = `/proc/${pid}/cmdline`;
        return /^\d+$/.test(pid) && existsSync(file) && titled(file);
      });
    const titled = (file: string) => {
      try {
        return readFileSync(file, "utf8").includes("proj_test_killed");
      } catch {
        return false;
      }
    };
    expect(children().length).toBeGreaterThan(3);
    process.kill(made.server.pid, "SIGKILL");
    await until(
      "all to be gone",
      async () => children(),
      ({ length }) => length === 0,
      10,
    );
    const server = await startServer(fleet.box(made));
    expect(await ask({ ...made, server }, "select answer from t")).toEqual([[42]]);
    expect(await stopServer(server)).toBe(true);
  });

  test("starts once on its files", async () => {
    await expect(startServer(fleet.box(one))).rejects.toThrow(/are in use by another Postgres/);
    // Who comes anew takes over the one that has them.
    expect(await ensureServer(fleet.box(one))).toEqual(one.server);
    expect(await ask(one, "select 1")).toEqual([[1]]);
  });

  test("is found again by whoever did not start it", async () => {
    expect(findServers(fleetMark(fleet.fleet)).get("proj_test_one")).toEqual(one.server);
    await ask(one, "select 1");
  });

  test("says why it does not start", async () => {
    const made = await fleet.make("proj_test_broken");
    const { data } = fleet.box(made).place;
    await stopServer(made.server);
    renameSync(join(data, "global"), join(data, "gone"));
    await expect(startServer(fleet.box(made))).rejects.toThrow(
      /did not start: .*pg_control|global/,
    );
  });
});

// Only root has groups to delegate, and only of version 1 are they made without moving anybody.
describe.runIf(cgroupTrees.length === 3)("on a host with control groups", () => {
  const size = { ...small, memoryBytes: 256 * 1024 ** 2 };
  let groups: readonly string[];
  let held: Awaited<ReturnType<typeof openTestFleet>>;
  beforeAll(async () => {
    groups = cgroupTrees.map((tree) => makeCgroup(tree, "instance"));
    held = await openTestFleet(groups);
  });
  afterAll(async () => {
    await held?.remove();
    const processes = () =>
      groups.flatMap((group) =>
        readdirSync(group, { withFileTypes: true })
          .filter((entry) => entry.isDirectory())
          .flatMap(({ name }) => readFileSync(join(group, name, "cgroup.procs"), "utf8").trim()),
      );
    await until(
      "empty groups",
      async () => processes().join(""),
      (all) => all === "",
    );
    for (const group of groups) removeCgroup(group);
  });

  test("all of an instance's processes are held to its size, and no neighbour's", async () => {
    const greedy = await held.make("proj_test_greedy", size);
    const quiet = await held.make("proj_test_quiet", size);
    const [memory = "", , pids = ""] = groups;
    const inGroup = readFileSync(join(memory, greedy.name, "cgroup.procs"), "utf8").split("\n");
    expect(inGroup).toContain(String(greedy.server.pid));
    expect(inGroup.length).toBeGreaterThan(5);
    const limit = readFileSync(join(memory, greedy.name, "memory.limit_in_bytes"), "utf8");
    expect(Number(limit)).toBe(size.memoryBytes);
    expect(Number(readFileSync(join(pids, greedy.name, "pids.max"), "utf8"))).toBeLessThan(100);
    const client = await held.connect(quiet);
    await client.query("create temporary table mine as select 1 as n");
    const hungry = Array.from({ length: 6 }, async () => {
      const one = await held.connect(greedy);
      await one.query("set work_mem = '1GB'");
      await one.query("select array_agg(repeat('x', 100) || g) from generate_series(1, 400000) g");
    });
    const ends = await Promise.allSettled(hungry);
    expect(ends.map(({ status }) => status)).toContain("rejected");
    const answers = () =>
      held.connect(greedy).then(
        (one) => one.query("select 1").then(() => one.end().then(() => true)),
        () => false,
      );
    await until("the greedy one to serve again", answers, (isThere) => isThere);
    expect((await client.query("select n from mine")).rows).toEqual([{ n: 1 }]);
    await client.end();
  });
});
