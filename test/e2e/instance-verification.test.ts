// Backups are proved by recovering them: what is whole passes, what is damaged does not and is
// named, and a proof leaves nothing of itself.
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createAwake } from "../../host/dump/awake.ts";
import { fleetMark } from "../../host/instance/fleet.ts";
import { placeOf } from "../../host/instance/place.ts";
import { findServers } from "../../host/instance/server.ts";
import { platformSession } from "../../host/instance/session.ts";
import { sourcesOf } from "../../host/recovery/source.ts";
import { verificationHandlers } from "../../host/verification/verifications.ts";
import type { HostCommandReport } from "../../src/contract/command.ts";
import { until } from "../support/client.ts";
import { all, change, filesIn, turnBits } from "../support/damage.ts";
import { openTestDatabases, type TestDatabase } from "../support/databases.ts";
import type { VerifyingOrder } from "../support/verifying.ts";

let host: Awaited<ReturnType<typeof openTestDatabases>>;
let handlers: ReturnType<typeof verificationHandlers>;

function open(): void {
  const { keeper, means } = host;
  const parts = {
    ...{ ...means, awake: createAwake(keeper), repositoryOf: means.safe.repository },
    sourcesOf: (database: string) => sourcesOf(means, database),
  };
  const versions = async () => ({ postgres: "17", pgbackrest: "2", host: "1" });
  handlers = verificationHandlers(parts, versions);
}

beforeAll(async () => {
  host = await openTestDatabases();
  open();
});
afterAll(() => host?.stop());

const instances = () => readdirSync(join(host.fleet.directory, "instance")).toSorted();

/** A database with a base backup, and a client that stays. */
async function begin(
  name: string,
  ...texts: readonly string[]
): Promise<TestDatabase & { readonly client: Client }> {
  const made = await host.create(name);
  const client = await host.connect(made);
  for (const text of texts) await client.query(text);
  await host.databases.backUp(name, "full");
  return { ...made, client };
}

/** As the platform, who may do what only a fault does. */
async function asPlatform(name: string, ...texts: readonly string[]): Promise<void> {
  const { record } = host.keeper.live(name);
  const { place } = host.keeper.roster.box(record.name);
  const session = platformSession(host.fleet, place, name, name);
  for (const text of texts) await session.query(text);
  await session.close();
}

const servers = () => findServers(fleetMark(host.fleet));

/** Waits for the instance a database is recovered to. @returns its name */
async function untilRecovering(name: string): Promise<string> {
  const find = async () => [...servers().keys()].find((one) => one.startsWith(`${name}.`));
  return (
    (await until("an instance that recovers", find, (found) => found !== undefined, 300)) ?? ""
  );
}

type Report = HostCommandReport<"verification.status">;

const inputOf = (...names: readonly string[]) => ({
  verification_id: randomUUID(),
  databases: names.map((database) => ({ database_id: randomUUID(), database })),
});

function untilOver(input: ReturnType<typeof inputOf>): Promise<Report> {
  const status = () => handlers["verification.status"](input);
  return until("a verification", status, ({ state }) => state !== "running", 300);
}

async function verify(...names: readonly string[]): Promise<Report> {
  const input = inputOf(...names);
  const before = instances();
  await handlers["verification.start"](input);
  const report = await untilOver(input);
  expect(instances()).toEqual(before);
  expect(JSON.stringify(report)).not.toContain(host.fleet.directory);
  return report;
}

const checksOf = ({ databases }: Report, at = 0) => databases[at]?.checks ?? [];

function resultsOf(report: Report, at = 0) {
  return Object.fromEntries(checksOf(report, at).map(({ name, result }) => [name, result]));
}

const detailOf = (report: Report, wanted: string) =>
  checksOf(report).find(({ name }) => name === wanted)?.detail;

const allPassed = {
  restore: "passed",
  content: "passed",
  indexes: "passed",
  checksums: "passed",
  repository: "passed",
};

const oddTables = [
  `create table "Odd ""name" (t text, at timestamptz default now(), n numeric, j jsonb);
   insert into "Odd ""name" select 'row ' || n, now(), n / 7.0, '{"a": [1, 2]}'
     from generate_series(1, 5000) as n;
   create index on "Odd ""name" (lower(t))`,
  "create table empty ()",
  "create table parted (n int) partition by range (n)",
  "create table part_one partition of parted for values from (0) to (100)",
  "insert into parted select generate_series(0, 99)",
  `create table secret as select 1 as n; alter table secret enable row level security;
   alter table secret force row level security`,
];

/** Writes without a pause. */
async function write(to: TestDatabase, signal: AbortSignal): Promise<void> {
  const client = await host.connect(to);
  for (let n = 0; !signal.aborted; n++) {
    await client.query("insert into queue values ($1)", [n]);
    await client.query("delete from queue where n = $1", [n]);
    await client.query(`update "Odd ""name" set n = n + 1 where t = 'row 1'`);
  }
  await client.end();
}

describe("a verification", () => {
  test("of what is whole passes every check, up to the restore point", async () => {
    const one = await begin("proj_test_whole", ...oddTables);
    await one.client.query(`insert into "Odd ""name" (t) values ('after the backup')`);
    const report = await verify(one.name);
    expect(report).toMatchObject({ state: "succeeded", error: null, done: 1 });
    expect(resultsOf(report), JSON.stringify(report)).toEqual(allPassed);
    const [database] = report.databases;
    expect(database?.manifest).toMatchObject({ tables: 4, rows: 5102, tables_left_out: 0 });
    expect(database?.evidence).toContain(`"${database?.restore_point.name}"`);
    expect(database?.backup_label).toMatch(/F$/);
    await one.client.end();
  });

  test("opens no database that sleeps or is stopped, and leaves it so", async () => {
    const names = ["proj_test_asleep", "proj_test_stopped"] as const;
    for (const name of names) {
      const { client } = await begin(name, "create table t as select generate_series(1, 10) n");
      await client.end();
    }
    const [asleep, stopped] = names;
    await host.keeper.sleep(asleep);
    await host.keeper.stop(stopped);
    const report = await verify(...names, "proj_test_unknown");
    expect(report).toMatchObject({ state: "succeeded", done: 3 });
    expect(report.databases.length).toBe(2);
    for (const at of [0, 1]) {
      expect(resultsOf(report, at), JSON.stringify(report)).toEqual(allPassed);
    }
    const states = names.map((name) => host.keeper.live(name));
    expect(states.map(({ record, server }) => [record.wanted, server])).toEqual([
      ["asleep", undefined],
      ["stopped", undefined],
    ]);
  });

  test("is not in the way of who wakes a database meanwhile", async () => {
    const one = await begin("proj_test_woken", "create table t as select 1 as n");
    await one.client.end();
    await host.keeper.sleep(one.name);
    const input = inputOf(one.name);
    await handlers["verification.start"](input);
    await until(
      "its Postgres to run",
      async () => host.keeper.live(one.name).server,
      (server) => server !== undefined,
    );
    const client = await host.connect(one);
    expect((await client.query("select n from t")).rows).toEqual([{ n: 1 }]);
    await untilOver(input);
    expect((await client.query("select n from t")).rows).toEqual([{ n: 1 }]);
    expect(host.keeper.live(one.name).record.wanted).toBe("running");
    await client.end();
  });

  test("of a queue that is filled and emptied all the time is of one moment", async () => {
    const one = await begin("proj_test_queue", "create table queue (n int)", ...oddTables);
    const over = new AbortController();
    const writing = Promise.all([1, 2, 3].map(() => write(one, over.signal)));
    try {
      for (let times = 0; times < 2; times++) {
        const report = await verify(one.name);
        expect(resultsOf(report), JSON.stringify(report)).toEqual(allPassed);
      }
    } finally {
      over.abort();
    }
    await writing;
    await one.client.end();
  });

  test("leaves out a table that somebody holds, and says so", async () => {
    const one = await begin("proj_test_held", ...oddTables);
    await one.client.query("begin; insert into parted values (5)");
    const report = await verify(one.name);
    await one.client.query("rollback");
    expect(resultsOf(report), JSON.stringify(report)).toEqual(allPassed);
    expect(report.databases[0]?.manifest).toMatchObject({ tables: 3, tables_left_out: 1 });
    expect(detailOf(report, "content")).toMatch(/Not compared, .*: public\.part_one\.$/);
    await one.client.end();
  });

  test("is not kept out by an owner who shuts everybody out, or says that it was", async () => {
    const one = await begin("proj_test_shut", "create table t as select 1 as n");
    await one.client.query(`revoke all on database ${one.name} from miosa_reader, miosa_holder`);
    expect(resultsOf(await verify(one.name))).toEqual(allPassed);
    await one.client.query(`alter database ${one.name} connection limit 1`);
    const report = await verify(one.name);
    expect(resultsOf(report)).toEqual({ ...allPassed, content: "skipped" });
    expect(detailOf(report, "content")).toMatch(/too many connections/);
    await one.client.end();
  });

  test("runs what a tenant wrote as nobody who may do anything", async () => {
    const one = await begin(
      "proj_test_clever",
      `create function spy(n int) returns int language plpgsql immutable as $f$ begin
         if exists (select from pg_roles where rolname in (session_user, current_user)
                    and (rolsuper or rolcreaterole) and rolname <> 'usr_proj_test_clever') then
           raise exception 'the door is open';
         end if;
         return n; end $f$`,
      "create table trap as select generate_series(1, 100) as n",
      "create index on trap (spy(n))",
    );
    const report = await verify(one.name);
    expect(resultsOf(report), JSON.stringify(report)).toEqual(allPassed);
    await one.client.end();
  });
});

describe("what does not pass", () => {
  test("is a damaged base backup, and the file is named", async () => {
    const one = await begin("proj_test_damaged", ...oddTables);
    const { directory } = host.means.safe.repository(one.name);
    const bundles = filesIn(join(directory, "data", "backup")).filter((file) =>
      /F\/bundle\/\d+$/.test(file),
    );
    expect(bundles.length).toBeGreaterThan(0);
    const repair = all(bundles.map((file) => turnBits(file)));
    const report = await verify(one.name);
    repair();
    expect(report.state).toBe("succeeded");
    expect(resultsOf(report), JSON.stringify(report)).toMatchObject({
      restore: "failed",
      content: "skipped",
      repository: "failed",
    });
    expect(detailOf(report, "restore")).toMatch(
      /^The base backup \d{8}-\d{6}F, or one it builds on, is damaged/,
    );
    expect(detailOf(report, "repository")).toMatch(/invalid checksum '\d{8}-\d{6}F\/bundle\/\d+'/);
    expect(resultsOf(await verify(one.name))).toEqual(allPassed);
    await one.client.end();
  });

  test("is an index that lacks a row, and it is named", async () => {
    const one = await begin("proj_test_index", ...oddTables);
    // As a fault of a machine would: what an index is to hold is told to it wrongly.
    const setReady = (isReady: boolean) =>
      asPlatform(
        one.name,
        `update pg_index set indisready = ${isReady}
         where indexrelid = 'public."Odd ""name_lower_idx"'::regclass`,
      );
    await setReady(false);
    await one.client.query(`insert into "Odd ""name" (t) values ('not in the index')`);
    await setReady(true);
    const report = await verify(one.name);
    expect(resultsOf(report), JSON.stringify(report)).toEqual({ ...allPassed, indexes: "failed" });
    expect(detailOf(report, "indexes")).toMatch(/lower_idx.*lacks matching index tuple/);
    await one.client.end();
  });

  test("are rows that were changed without WAL, and the table is named", async () => {
    const one = await begin("proj_test_behind", "create table t as select 1 as n", ...oddTables);
    // An unlogged table writes no WAL.
    const set = (kind: "u" | "p") =>
      asPlatform(
        one.name,
        `update pg_class set relpersistence = '${kind}' where oid = 'public.t'::regclass`,
      );
    await set("u");
    await one.client.query("update t set n = 2");
    await set("p");
    const report = await verify(one.name);
    expect(resultsOf(report), JSON.stringify(report)).toEqual({ ...allPassed, content: "failed" });
    expect(detailOf(report, "content")).toMatch(/^public\.t has other rows than before$/);
    await one.client.end();
  });

  test("is a page that the disk returns otherwise, and the file is named", async () => {
    const one = await begin("proj_test_page", ...oddTables);
    const input = inputOf(one.name);
    await handlers["verification.start"](input);
    const name = await untilRecovering(one.name);
    // It is laid out, and nobody else looks into this one.
    const { data } = placeOf(host.fleet.directory, name);
    const [file = ""] = filesIn(join(data, "base", "1")).filter((path) => /\/2619$/.test(path));
    change(file, (bytes) => {
      bytes[5000] = (bytes[5000] ?? 0) ^ 1;
      return bytes;
    });
    const report = await untilOver(input);
    expect(resultsOf(report), JSON.stringify(report)).toEqual({
      ...allPassed,
      checksums: "failed",
    });
    expect(detailOf(report, "checksums")).toContain("base/1/2619");
    await one.client.end();
  });
});

describe("nothing is left", () => {
  test("of one that is ended, and it is not known any more", async () => {
    const one = await begin("proj_test_ended", ...oddTables);
    const before = instances();
    const input = inputOf(one.name);
    await handlers["verification.start"](input);
    await untilRecovering(one.name);
    await handlers["verification.end"](input);
    expect(instances()).toEqual(before);
    await expect(handlers["verification.status"](input)).rejects.toThrow(/There is no/);
    await handlers["verification.end"](input);
    await one.client.end();
  });

  test("of a host program that is killed while it verifies", async () => {
    const one = await begin("proj_test_killed", ...oddTables);
    await one.client.end();
    await host.keeper.stop(one.name);
    const before = instances();
    await host.leave();
    const { groups: _, ...fleet } = host.fleet;
    const order: VerifyingOrder = { fleet, input: inputOf(one.name) };
    const file = join(host.fleet.directory, "order.json");
    for (const moment of ["living", "recovered"]) {
      writeFileSync(file, JSON.stringify(order), { mode: 0o600 });
      const script = fileURLToPath(new URL("../support/verifying.ts", import.meta.url));
      const child = spawn(process.execPath, [script, file], { stdio: "inherit" });
      const ended = once(child, "exit");
      try {
        if (moment === "recovered") await untilRecovering(one.name);
        else {
          const isThere = async () => servers().has(one.name);
          await until("the living one to be started", isThere, (has) => has, 300);
        }
      } finally {
        child.kill("SIGKILL");
      }
      await ended;
      await host.comeAnew();
      expect(instances()).toEqual(before);
      expect([...servers().keys()].filter((name) => name.startsWith(one.name))).toEqual([]);
      expect(existsSync(join(host.fleet.directory, "record", `${one.name}.json`))).toBe(true);
      await host.leave();
    }
    await host.comeAnew();
    open();
    const report = await verify(one.name);
    expect(resultsOf(report), JSON.stringify(report)).toEqual(allPassed);
  });
});
