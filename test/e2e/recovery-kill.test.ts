// Whatever is killed in the middle of a recovery: it ends with words or goes on, nothing is left of
// it, what is live is as it was, and the next recovery of the same moment is exact.
import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestHost, type TestHost } from "../support/host.ts";
import { kill } from "../support/process.ts";
import {
  momentNow,
  type RecoveringHost,
  recoveringHost,
  tenantPassword,
} from "../support/recovering.ts";

const roles = { owner: `own_${"a".repeat(20)}`, login: `usr_${"b".repeat(20)}` };
const newcomer = { owner: `own_${"c".repeat(20)}`, login: `usr_${"d".repeat(20)}` };
const into = { database: "proj_into", user: newcomer.login, password: tenantPassword };
const rows = 400_000;
const findMilliseconds = 30_000;

let host: TestHost;
let it: RecoveringHost;
let oid: number;
let target: string;

beforeAll(async () => {
  host = await startTestHost();
  it = recoveringHost(host);
  await it.makeTenant("proj_ledger", roles);
  await it.makeTenant("proj_into", newcomer);
  oid = await it.oidOf("proj_ledger");
  await run("create table kept as select generate_series(1, 1000) as n");
  await run(`create table ledger as select n, md5(n::text) as note
    from generate_series(1, ${rows}) as n`);
  await it.baseBackup();
  await run("create index on ledger (note)");
  [{ time: target }] = await it.sql("postgres", momentNow);
  await run("drop table ledger");
  await it.report("recovery_window", {});
}, 120_000);

afterAll(() => host?.stop());

const run = (text: string) =>
  it.asTenant("proj_ledger", roles.login, (client) => client.query(text));

/** Ids of processes of a program that were given an argument and work in a scratch directory. */
function found(program: string, argument: string): number[] {
  const scratch = join(host.config.directory, "scratch");
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => {
      try {
        const [path = "", ...args] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
        const isIt = basename(path) === program && args.some((each) => each.includes(argument));
        return isIt && readFileSync(`/proc/${pid}/mountinfo`, "utf8").includes(scratch);
      } catch {
        return false;
      }
    });
}

async function killNext(program: string, argument: string): Promise<void> {
  const deadline = performance.now() + findMilliseconds;
  for (;;) {
    const pids = found(program, argument);
    for (const pid of pids) kill(pid);
    if (pids.length > 0) return;
    if (performance.now() > deadline) throw new Error(`${program} ${argument} never ran.`);
    await delay(1);
  }
}

const recover = () => it.start(target, oid);

async function load(recovery_id: string) {
  await it.report("recovery.load", { recovery_id, into });
  const { load: outcome } = await it.settled(recovery_id, (now) => now.load?.state !== "running");
  return outcome;
}

/** Nothing is left, what is live is as it was, and the same moment comes back exactly. */
async function expectWhole(): Promise<void> {
  expect(it.scratchNames()).toEqual([]);
  expect(found("postgres", join(host.config.directory, "scratch"))).toEqual([]);
  expect(await run("select count(*)::int as n from kept")).toMatchObject({ rows: [{ n: 1000 }] });
  const { recovery_id, status } = await recover();
  expect(status.state, `${status.error}`).toBe("ready");
  await it.sql("proj_into", "drop table if exists kept, ledger");
  expect(await load(recovery_id)).toMatchObject({ state: "succeeded", error: null });
  const text = "select (select count(*) from ledger)::int + (select count(*) from kept)::int as n";
  expect(await it.sql("proj_into", text)).toEqual([{ n: rows + 1000 }]);
  await it.report("recovery.end", { recovery_id });
  expect(it.scratchNames()).toEqual([]);
}

test.each([
  ["the manifest is read", "pgbackrest", "repo-get"],
  ["the view is made", "pgbackrest", "repo-put"],
  ["files are restored", "pgbackrest", "--tablespace-map-all"],
  ["WAL is replayed", "postgres", "-D"],
])("killed while %s, a recovery fails with words", async (_, program, argument) => {
  const [{ status }] = await Promise.all([recover(), killNext(program, argument)]);
  expect(status.state).toBe("failed");
  expect(status.error).toMatch(/\S{3}/);
  expect(status.error).not.toContain(host.config.directory);
  await expectWhole();
});

test("killed while it is fetched beforehand, WAL is fetched when its turn comes", async () => {
  const [{ recovery_id, status }] = await Promise.all([
    recover(),
    killNext("pgbackrest", "archive-get"),
  ]);
  expect(status.state, `${status.error}`).toBe("ready");
  await it.report("recovery.end", { recovery_id });
  await expectWhole();
});

test.each(["pg_dump", "pg_restore"])(
  "killed in %s, a load fails with words and can be begun again",
  async (program) => {
    await it.sql("proj_into", "drop table if exists kept, ledger");
    const { recovery_id } = await recover();
    const [outcome] = await Promise.all([load(recovery_id), killNext(program, "")]);
    expect(outcome?.state).toBe("failed");
    expect(outcome?.error).toContain(program);
    await it.sql("proj_into", "drop table if exists kept, ledger");
    expect(await load(recovery_id)).toMatchObject({ state: "succeeded" });
    await it.report("recovery.end", { recovery_id });
    await expectWhole();
  },
);

test("killed with the host program, a load leaves nothing but what it had loaded", async () => {
  await it.sql("proj_into", "drop table if exists kept, ledger");
  const { recovery_id } = await recover();
  await it.report("recovery.load", { recovery_id, into });
  await killNext("pg_restore", "").then(host.crash);
  await host.start();
  await it.report("recovery.end", { recovery_id });
  await expectWhole();
});

test.each(["", "{", "null", '{"request":1}'])(
  "a state file that holds only `%s` is nobody's: the host starts and removes it",
  async (damage) => {
    const { recovery_id } = await recover();
    const [name = ""] = it.scratchNames();
    await host.crash();
    writeFileSync(join(host.config.directory, "scratch", name, "recovery.json"), damage);
    await host.start();
    expect(it.scratchNames()).toEqual([]);
    expect((await host.command("recovery.status", { recovery_id })).status).toBe(404);
  },
);

test("more recoveries than work at a time wait in their order, and all are exact", async () => {
  const ids = Array.from({ length: 5 }, () => randomUUID());
  const request = { database_oid: oid, target: { time: target } };
  for (const recovery_id of ids) await it.report("recovery.start", { recovery_id, request });
  const status = (recovery_id: string) => it.report("recovery.status", { recovery_id });
  const positions = (await Promise.all(ids.map(status))).map(({ position }) => position);
  expect(positions).toEqual([0, 0, 1, 2, 3]);
  for (const recovery_id of ids) {
    const over = await it.settled(recovery_id, ({ state }) => state === "ready");
    expect(over.position).toBe(0);
    await it.report("recovery.end", { recovery_id });
  }
  expect(it.scratchNames()).toEqual([]);
});
