// Shares of the processors, on a host that was delegated a control group.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { defaultSettings } from "../../src/contract/setting.ts";
import { cgroupParent, delegateCgroup, removeCgroup } from "../support/cgroup.ts";
import { until } from "../support/client.ts";
import { startTestHost, type TestHost } from "../support/host.ts";

const password = "a password only tests know";
const busy = "do $$ begin loop perform 1; end loop; end $$";

// Only root has groups to delegate.
describe.runIf(cgroupParent !== undefined)("on a host with a control group", () => {
  let cgroup: string;
  let host: TestHost;

  beforeAll(async () => {
    cgroup = delegateCgroup(cgroupParent ?? "");
    host = await startTestHost({ cgroup });
    const { directory } = host.config;
    const admin = new Client({ ...host.login, host: `${directory}/run`, database: "postgres" });
    await admin.connect();
    for (const name of ["small", "large"]) {
      await admin.query(`create role role_${name} login password '${password}'`);
      await admin.query(`create database proj_${name} template miosa_template`);
      await admin.query(`grant all on database proj_${name} to role_${name}`);
    }
    await admin.end();
    await weigh("proj_large", 400);
  }, 90_000);

  afterAll(async () => {
    await host?.stop();
    await until(
      "an empty group",
      async () => processesIn("platform"),
      (all) => all.length === 0,
    );
    removeCgroup(cgroup);
  });

  async function weigh(database: string, cpu_weight: number): Promise<void> {
    const settings = { ...defaultSettings, cpu_weight };
    const response = await host.command("database.configure", { database, settings });
    expect(response.status).toBe(200);
  }

  const processesIn = (group: string) =>
    readFileSync(join(cgroup, group, "cgroup.procs"), "utf8")
      .split("\n")
      .filter(Boolean);

  /** Clients that compute, all on one processor. */
  async function compute(name: string): Promise<{ readonly pid: string; end(): Promise<void> }> {
    const client = new Client({
      host: "127.0.0.1",
      port: host.config.listen.session_port,
      ...{ database: `proj_${name}`, user: `role_${name}`, password },
    });
    client.on("error", () => undefined);
    await client.connect();
    const pid = String((await client.query("select pg_backend_pid() as pid")).rows[0].pid);
    execFileSync("taskset", ["--pid", "--cpu-list", "0", pid], { stdio: "ignore" });
    client.query(busy).catch(() => undefined);
    const group = `proj_${name}`;
    await until("its group", async () => existsSync(join(cgroup, group)), Boolean);
    await until(
      "its place",
      async () => processesIn(group),
      (all) => all.includes(pid),
    );
    return { pid, end: () => client.end() };
  }

  /** Processor time a process took, in hundredths of a second. */
  const ticksOf = (pid: string) =>
    readFileSync(`/proc/${pid}/stat`, "utf8")
      .split(") ")[1]
      ?.split(" ")
      .slice(11, 13)
      .map(Number)
      .reduce((user, system) => user + system) ?? 0;

  test("a database has its size's share, however many backends another one has", async () => {
    const large = await compute("large");
    const small = await Promise.all(Array.from({ length: 4 }, () => compute("small")));
    const taken = () => [
      ticksOf(large.pid),
      small.map(({ pid }) => ticksOf(pid)).reduce((sum, ticks) => sum + ticks),
    ];
    const [largeBefore = 0, smallBefore = 0] = taken();
    const [largeAfter = 0, smallAfter = 0] = await until(
      "three seconds of a processor",
      async () => taken(),
      (now) => (now[0] ?? 0) + (now[1] ?? 0) > largeBefore + smallBefore + 300,
    );
    // Four to one; by processes it would be one to four.
    expect((largeAfter - largeBefore) / (smallAfter - smallBefore)).toBeGreaterThan(2);
    await Promise.all([large, ...small].map((client) => client.end()));
  });

  test("Postgres itself and the poolers are beside the tenants", () => {
    const platform = processesIn("platform");
    for (const program of ["postgres", "transaction", "session"] as const) {
      expect(platform).toContain(String(host.pid(program)));
    }
  });
});
