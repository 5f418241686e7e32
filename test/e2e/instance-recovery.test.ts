// WAL leaves an instance as it is written, and an instance is brought back from it to any moment.
import { randomUUID } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { endNow, type Running } from "../../host/base/running.ts";
import { type Repository, repositoryOf } from "../../host/base-backup/repository.ts";
import { fleetPlaces } from "../../host/instance/fleet.ts";
import { readRecords } from "../../host/instance/record.ts";
import { startServer, stopServer } from "../../host/instance/server.ts";
import { platformSession, walSlot } from "../../host/instance/session.ts";
import { recover } from "../../host/recovery/recover.ts";
import type { RecoveryTarget } from "../../host/recovery/target.ts";
import { endLsnOf } from "../../host/wal/segment.ts";
import { createShipper, type Shipper } from "../../host/wal/shipper.ts";
import { until } from "../support/client.ts";
import { openTestFleet, type TestInstance } from "../support/fleet.ts";

let fleet: Awaited<ReturnType<typeof openTestFleet>>;
let one: TestInstance;
let server: Running;
let repository: Repository;
let shipper: Shipper;
let isOver = false;
let shipping: Promise<void>;
const wal = () => join(repository.directory, "wal");

/** As the host program, or as the tenant, whose tables are in `public`. */
async function sql(text: string, search = "pg_catalog"): Promise<unknown[][]> {
  const session = platformSession(fleet.fleet, fleet.box(one).place, one.name, one.name);
  try {
    await session.query(`set search_path = ${search}`);
    return (await session.query(text)).map((row) => Object.values(row));
  } finally {
    await session.close();
  }
}

const tenant = (text: string) => sql(text, "public");

async function ship(): Promise<void> {
  while (!isOver) {
    await shipper.take();
    while (await shipper.keepNext());
    await delay(20);
  }
}

function open(): void {
  const box = fleet.box(one);
  shipper = createShipper({
    box,
    directory: wal(),
    keep: (segment) => repository.keep(box, segment),
    release: async (segment) => {
      await sql(`select pg_replication_slot_advance('${walSlot}', '${endLsnOf(segment)}')`);
    },
    current: async () => String((await sql(`select pg_walfile_name('${await lsn()}')`))[0]?.[0]),
    incarnation: () => String(server.pid),
  });
}

beforeAll(async () => {
  fleet = await openTestFleet();
  one = await fleet.make("proj_test_kept");
  server = one.server;
  repository = repositoryOf(fleet.fleet, one.name, { recoveryDays: 7, baseBackupDays: 30 });
  await repository.open(fleet.box(one));
  open();
  shipping = ship();
  await tenant("create table ledger (n int primary key, at timestamptz default clock_timestamp())");
  await repository.backUp(fleet.box(one), "full");
});
afterAll(async () => {
  isOver = true;
  await shipping;
  await fleet?.remove();
});

function readAll() {
  const { instances, records } = fleetPlaces(fleet.fleet);
  return readRecords(instances, records);
}

const record = () => {
  const { records } = readAll();
  const found = records.find(({ name }) => name === one.name);
  if (found === undefined) throw new Error("The instance has no record.");
  return found;
};

const lsn = async () => String((await sql("select pg_current_wal_flush_lsn()"))[0]?.[0]);

/** Waits until all that is written by now was taken. */
async function untilTaken(): Promise<void> {
  const written = await lsn();
  const [segment = ""] = (await sql(`select pg_walfile_name('${written}')`))[0] as string[];
  const offset = Number(
    (await sql(`select (pg_walfile_name_offset('${written}')).file_offset`))[0]?.[0],
  );
  await until(
    "the last commit to be taken",
    async () => shipper.position(),
    (at) => at !== null && (at.segment > segment || (at.segment === segment && at.bytes >= offset)),
  );
}

async function recovered(target: RecoveryTarget) {
  const name = `proj_test_kept.${randomUUID().slice(0, 8)}`;
  const done = await recover(fleet.fleet, [{ number: 1, repository, wal: wal() }], {
    of: record(),
    name,
    target,
  });
  const session = platformSession(fleet.fleet, done.box.place, one.name, one.name);
  await session.query("set search_path = public");
  return { ...done, session, end: () => session.close().then(() => endNow(done.server)) };
}

describe("the WAL of an instance", () => {
  test("is taken as it is written, and finished segments are kept", async () => {
    await tenant("insert into ledger select generate_series(1, 1000)");
    await untilTaken();
    const before = await repository.segments(fleet.box(one));
    await tenant(
      "create table bulk as select g, repeat('x', 500) from generate_series(1, 40000) g",
    );
    await untilTaken();
    await until(
      "finished segments to be kept",
      () => repository.segments(fleet.box(one)),
      (after) => after.size > before.size + 3,
    );
    const [[there = 0] = []] = (await sql(
      "select count(*)::int from pg_ls_waldir()",
    )) as number[][];
    expect(there).toBeLessThan(12);
  });

  test("is not written to by who is idle", async () => {
    await sql("checkpoint");
    await untilTaken();
    const before = await lsn();
    await delay(3000);
    expect(await lsn()).toBe(before);
  });
});

describe("a recovery", () => {
  test("brings back what was dropped, to the very commit", async () => {
    await tenant("insert into ledger values (2001)");
    const [[moment = ""] = []] = (await sql("select clock_timestamp()::text")) as string[][];
    await tenant("insert into ledger values (2002)");
    await tenant("drop table ledger");
    await untilTaken();
    const done = await recovered({ time: moment });
    expect(
      await done.session.query("select max(n) as n, count(*)::int as count from ledger"),
    ).toEqual([{ n: 2001, count: 1001 }]);
    await done.end();
  });

  test("goes on from the moment when it is promoted, and again after a restart", async () => {
    await tenant("create table if not exists ledger (n int primary key)");
    await tenant("insert into ledger values (3001)");
    await untilTaken();
    const done = await recovered({ latest: true });
    await done.session.query("insert into ledger values (3002)");
    await done.session.close();
    await stopServer(done.server);
    const again = await startServer(done.box);
    const session = platformSession(fleet.fleet, done.box.place, one.name, one.name);
    await session.query("set search_path = public");
    expect(await session.query("select n from ledger order by n")).toEqual([
      { n: 3001 },
      { n: 3002 },
    ]);
    await session.close();
    await endNow(again);
  });

  test("needs nothing of the instance itself", async () => {
    await tenant("insert into ledger values (4001)");
    const [[moment = ""] = []] = (await sql("select clock_timestamp()::text")) as string[][];
    await tenant("insert into ledger values (4002)");
    await untilTaken();
    isOver = true;
    await shipping;
    await endNow(server);
    const done = await recovered({ time: moment });
    expect(await done.session.query("select max(n) as n from ledger")).toEqual([{ n: 4001 }]);
    await done.end();
    server = await startServer(fleet.box(one));
    isOver = false;
    open();
    shipping = ship();
    await tenant("insert into ledger values (4003)");
    await untilTaken();
  });

  test("reads what only the repository has, and what was not finished beside it", async () => {
    await tenant(
      "create table more as select g, repeat('y', 500) from generate_series(1, 40000) g",
    );
    const [[moment = ""] = []] = (await sql("select clock_timestamp()::text")) as string[][];
    await tenant("drop table more");
    await untilTaken();
    const copies = () => readdirSync(wal()).filter((name) => name !== "kept").length;
    const before = copies();
    shipper.prune(shipper.position()?.segment ?? "");
    expect(copies()).toBeLessThan(before);
    const done = await recovered({ time: moment });
    expect(await done.session.query("select count(*)::int as n from more")).toEqual([{ n: 40000 }]);
    await done.end();
  });

  test("to before the first base backup is refused, and leaves nothing", async () => {
    const before = readAll().unfinished.length;
    const target = { time: "2020-01-01T00:00:00Z" };
    await expect(recovered(target)).rejects.toThrow(/No base backup is older/);
    expect(readAll().unfinished.length).toBe(before);
  });
});
