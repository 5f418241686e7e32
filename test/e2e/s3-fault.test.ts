// Recoveries between two repositories of which one or both have a fault: what is whole is found,
// whoever has it; what is wrong is told in words; and a store that was down for long lacks nothing
// afterwards.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { HostConfig } from "../../host/config.ts";
import { until } from "../support/client.ts";
import { all, filesIn, type Repair, turnBits } from "../support/damage.ts";
import { startTestHost, type TestHost } from "../support/host.ts";
import { momentNow, type RecoveringHost, recoveringHost } from "../support/recovering.ts";
import { startS3, type TestS3 } from "../support/s3.ts";

const roles = { owner: `own_${"a".repeat(20)}`, login: `usr_${"b".repeat(20)}` };

let host: TestHost;
let store: TestS3;
let it: RecoveringHost;
let oid: number;
let target: string;
/** Labels of the first repository, the oldest first. */
let labels: string[];
let repair: Repair | undefined;

beforeAll(async () => {
  store = await startS3();
  host = await startTestHost({ backup: HostConfig.shape.backup.parse({ s3: store.s3 }) });
  it = recoveringHost(host);
  await it.makeTenant("proj_ledger", roles);
  oid = await it.oidOf("proj_ledger");
  await run("create table ledger as select generate_series(1, 100) as n");
  await it.baseBackup("full");
  labels = (await backupsIn(1)).map(({ label }) => label);
  const newest = (await backupsIn(1)).at(-1)?.stopped_at ?? "";
  const stored = await until(
    "it in the store",
    () => backupsIn(2),
    (those) => those.some(({ started_at }) => started_at >= newest),
  );
  const stopped = Date.parse(stored.at(-1)?.stopped_at ?? "");
  await until(
    "the second after it",
    async () => Date.now(),
    (now) => now > stopped + 1000,
  );
  await run("insert into ledger select generate_series(101, 120)");
  target = await moment();
  await run("drop table ledger");
  await it.report("recovery_window", {});
  await inStep();
}, 120_000);

afterEach(async () => {
  repair?.();
  repair = undefined;
  await store.misbehave("none");
});

afterAll(async () => {
  await host?.stop();
  await store?.stop();
});

const run = (text: string) =>
  it.asTenant("proj_ledger", roles.login, (client) => client.query(text));

const moment = async (): Promise<string> => (await it.sql("postgres", momentNow))[0].time;

const backupsIn = async (repository: number) =>
  (await it.report("base_backups", {})).base_backups.filter((one) => one.repository === repository);

const inStep = () =>
  until(
    "the store to have all",
    () => it.report("archive", {}),
    ({ last_archived_wal, store: second }) => second?.copied_wal === last_archived_wal,
  );

const repository = () => join(host.config.directory, "repository");
const contents = (label: string) =>
  filesIn(join(repository(), "backup", "main", label)).filter((file) => !file.includes("manifest"));
const damageOf = (those: readonly string[]) =>
  all(those.flatMap(contents).map((file) => turnBits(file)));

/** Rows of the ledger in a recovery that is ready; ends it. */
async function rowsIn(recovery_id: string): Promise<number> {
  const [name = ""] = it.scratchNames();
  const socket = join(host.config.directory, "scratch", name);
  const options = "-c search_path=public";
  const at = { host: socket, port: 1, database: "proj_ledger", options };
  const client = new Client({ ...at, ...host.login });
  await client.connect();
  const counted = client.query("select count(*)::int as n from ledger");
  const { rows } = await counted.finally(() => client.end());
  await it.report("recovery.end", { recovery_id });
  return rows[0].n;
}

describe("a damaged base backup beside the host", () => {
  test("is stood in for by the store's, which is nearer than an older one", async () => {
    repair = damageOf(labels.slice(-1));
    const { recovery_id, status } = await it.start(target, oid);
    expect(status, `${status.error}`).toMatchObject({ state: "ready", repository: 2 });
    expect(status.passed_over).toMatchObject([{ repository: 1, backup_label: labels.at(-1) }]);
    expect(await rowsIn(recovery_id)).toBe(120);
  });

  test("with the store's damaged as well is stood in for by an older one", async () => {
    repair = damageOf(labels.slice(-1));
    await store.misbehave("corrupt");
    const { recovery_id, status } = await it.start(target, oid);
    expect(status, `${status.error}`).toMatchObject({ state: "ready", repository: 1 });
    expect(status.passed_over.map((one) => [one.repository, one.is_damage])).toEqual([
      [1, true],
      [2, true],
    ]);
    expect(await rowsIn(recovery_id)).toBe(120);
  });
});

describe("with nothing whole beside the host", () => {
  const faults = [
    ["forbids all", "forbid", /the key may not do that: let it list, read, write and delete/],
    ["fails at all", "fail", /The store could not be read: .*check that it is up, .*\[500\]/],
    [
      "does not answer",
      "hang",
      /The store could not be read: .*check that it is up, and backup\.s3/,
    ],
    ["gives other bytes", "corrupt", /The manifest of the base backup \S+ is missing or damaged/],
  ] as const;

  test.each(faults)("and a store that %s it fails with words", async (_, fault, words) => {
    repair = damageOf(labels);
    await store.misbehave(fault);
    const { status } = await it.start(target, oid);
    expect(status.state).toBe("failed");
    expect(status.error).toMatch(/^first repository: The base backup \S+, or one it builds on/);
    expect(status.error).toMatch(/second repository: /);
    expect(status.error).toMatch(words);
    expect(status.error).not.toMatch(/authorization|AKIA/i);
    expect(await store.faults()).toBeGreaterThan(0);
    expect(it.scratchNames()).toEqual([]);
  });

  test("the store has it all once it is well again", async () => {
    repair = damageOf(labels);
    const { recovery_id, status } = await it.start(target, oid);
    expect(status, `${status.error}`).toMatchObject({ state: "ready", repository: 2 });
    expect(await rowsIn(recovery_id)).toBe(120);
  });
});

describe("a store that is down for long", () => {
  const refusals = 12;

  test("has all WAL once it is back: what was written meanwhile comes back from it", async () => {
    await run("create table meanwhile (n int)");
    await inStep();
    await store.misbehave("refuse");
    for (let n = 1; n <= 5; n++) {
      await run(`insert into meanwhile values (${n})`);
      await it.sql("postgres", "select pg_switch_wal()");
    }
    await until("refusals", store.faults, (faults) => faults >= refusals, 100);
    await run("create table ledger as select generate_series(1, 7) as n");
    const at = await moment();
    await run("drop table ledger");
    const { spans } = await it.report("recovery_window", {});
    expect(Date.parse(spans.at(-1)?.to ?? "")).toBeGreaterThan(Date.parse(at));
    await store.misbehave("none");
    await inStep();
    rmSync(repository(), { recursive: true });
    const { recovery_id, status } = await it.start(at, oid);
    expect(status, `${status.error}`).toMatchObject({ state: "ready", repository: 2 });
    expect(await rowsIn(recovery_id)).toBe(7);
  });
});
