// What becomes of a database whose Postgres is its own: restored in place and back again, shown as
// it was, branched, while its clients stay connected.
import type { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createIdleLook } from "../../host/database/idle.ts";
import { until } from "../support/client.ts";
import { openTestDatabases, type TestDatabase } from "../support/databases.ts";

let host: Awaited<ReturnType<typeof openTestDatabases>>;
let one: TestDatabase;
let client: Client;
beforeAll(async () => {
  host = await openTestDatabases();
  one = await host.create("proj_test_one");
  client = await host.connect(one);
  await client.query("create table ledger (n int primary key)");
  await host.databases.backUp(one.name, "full");
});
afterAll(async () => {
  await client?.end();
  await host?.stop();
});

const numbers = async (who: Client) =>
  (await who.query("select n from ledger order by n")).rows.map(({ n }) => n);

/** The moment between what was written before and what will be after. */
async function moment(): Promise<string> {
  const { rows } = await client.query("select clock_timestamp()::text as at");
  return rows[0].at;
}

describe("a restore in place", () => {
  let former: string;

  test("brings back a dropped table, for clients that stayed connected", async () => {
    await client.query("insert into ledger values (1), (2)");
    const at = await moment();
    await client.query("drop table ledger");
    await client.query("create table later (n int)");
    former = await host.databases.restore(one.name, { time: at });
    expect(await numbers(client)).toEqual([1, 2]);
    await client.query("insert into ledger values (3)");
  });

  test("is undone, and what was before is there", async () => {
    const restored = await host.databases.bringBack(one.name, former);
    expect((await client.query("select count(*)::int as n from later")).rows).toEqual([{ n: 0 }]);
    await expect(client.query("select from ledger")).rejects.toThrow(/does not exist/);
    await host.databases.bringBack(one.name, restored);
    expect(await numbers(client)).toEqual([1, 2, 3]);
  });

  test("goes on being recoverable, to moments before, between and after", async () => {
    await client.query("insert into ledger values (4)");
    const at = await moment();
    await client.query("insert into ledger values (5)");
    await client.query("truncate ledger");
    await host.databases.restore(one.name, { time: at });
    expect(await numbers(client)).toEqual([1, 2, 3, 4]);
    await host.databases.backUp(one.name, "incr");
    await client.query("insert into ledger values (6)");
    const later = await moment();
    await client.query("delete from ledger");
    await host.databases.restore(one.name, { time: later });
    expect(await numbers(client)).toEqual([1, 2, 3, 4, 6]);
  });
});

describe("a preview", () => {
  test("shows a moment beside the database, which goes on", async () => {
    const at = await moment();
    await client.query("insert into ledger values (7)");
    // Its logins are those its source had at that moment.
    const preview = host.previewOf(one.name, "proj_test_preview");
    await host.databases.preview(one.name, { time: at }, preview);
    const reader = await host.connect({ ...one, name: "proj_test_preview" });
    expect(await numbers(reader)).toEqual([1, 2, 3, 4, 6]);
    await expect(reader.query("insert into ledger values (8)")).rejects.toThrow(/read-only/);
    await reader.end();
    expect(await numbers(client)).toEqual([1, 2, 3, 4, 6, 7]);
  });
});

describe("a branch", () => {
  test("is a database of its own, with what its source had", async () => {
    const wanted = await host.order("proj_test_branch");
    await host.databases.branch(one.name, wanted.name, wanted.spec);
    const branch = await host.connect(wanted);
    expect(await numbers(branch)).toEqual([1, 2, 3, 4, 6, 7]);
    await branch.query("delete from ledger");
    await branch.query("create schema of_its_owner");
    expect((await branch.query("select current_user as who")).rows[0].who).toBe(wanted.login);
    expect(await numbers(client)).toEqual([1, 2, 3, 4, 6, 7]);
    await branch.end();
    await host.databases.backUp(wanted.name, "full");
    await host.databases.remove(wanted.name);
    await expect(host.connect(wanted)).rejects.toThrow();
  });
});

describe("a database nobody uses", () => {
  test("sleeps after its time, unless a session is there, and wakes for who comes", async () => {
    const idle = await host.create("proj_test_idle");
    const record = host.recordOf(idle.name);
    let seconds = 0;
    const isAwake = () => host.keeper.live(idle.name).server !== undefined;
    const look = createIdleLook({
      all: () => [{ ...record, spec: { ...record.spec, suspend_after_seconds: 60 } }],
      use: host.pair.use,
      isAwake,
      sleep: (database) => host.keeper.sleep(host.keeper.live(database).record.name),
      clock: () => seconds * 1000,
    });
    const session = await host.connect(idle, "session");
    await session.query("create table t as select 5 as n");
    await look();
    seconds += 600;
    expect([await look(), isAwake()]).toEqual([[], true]);
    await session.end();
    const unused = async () => (await host.pair.use()).get(idle.name)?.busy ?? 0;
    await until("the session to be gone", unused, (busy) => busy === 0);
    await look();
    seconds += 60;
    expect([await look(), isAwake()]).toEqual([[idle.name], false]);
    for (const mode of ["transaction", "session"] as const) {
      const again = await host.connect(idle, mode);
      expect((await again.query("select n from t")).rows).toEqual([{ n: 5 }]);
      await again.end();
    }
  });
});
