// An object store as the second copy of databases that have a Postgres each: it follows within
// seconds, goes on after it was down, and from it all come back once the machine is gone.
import { randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { endNow } from "../../host/base/running.ts";
import { run } from "../../host/base/spawn.ts";
import { repositoryOf } from "../../host/base-backup/repository.ts";
import { openDumpStore } from "../../host/dump-store.ts";
import { toolLine } from "../../host/instance/box.ts";
import { fleetMark } from "../../host/instance/fleet.ts";
import { findServers } from "../../host/instance/server.ts";
import { createSealer } from "../../host/store/seal.ts";
import { until } from "../support/client.ts";
import { testHost } from "../support/database-program.ts";
import { openTestDatabases, type TestDatabase } from "../support/databases.ts";
import { beginRebuild, rebuildHost } from "../support/rebuild.ts";
import { startS3, type TestS3 } from "../support/s3.ts";

const names = ["proj_test_store_a", "proj_test_store_b", "proj_test_store_c"] as const;
const [first, second, third] = names;

let s3: TestS3;
let host: Awaited<ReturnType<typeof openTestDatabases>>;
let home: string;
const databases: TestDatabase[] = [];

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), "miosa-rebuild-"));
  s3 = await startS3();
  host = await openTestDatabases({ s3: s3.s3 });
  for (const name of names) databases.push(await host.create(name));
  for (const [at, database] of databases.entries()) {
    await as(database, (client) => client.query("create table ledger (n int)"));
    await host.databases.backUp(database.name, "full");
    await as(database, (client) => add(client, at));
    host.store?.noteOwner(database.name, `sealed ${at}`);
  }
});
afterAll(async () => {
  await host?.stop();
  await s3?.stop();
  rmSync(home, { recursive: true, force: true });
});

const bucket = () => join(s3.directory, "bucket", "object");
const head = `miosa/${testHost.hostId}/`;

/** Keys of a database's objects. */
function objectsOf(database: string): readonly string[] {
  const prefix = `${head}database/${database}/`;
  return readdirSync(bucket())
    .map(decodeURIComponent)
    .filter((key) => key.startsWith(prefix))
    .map((key) => key.slice(prefix.length))
    .toSorted();
}

const objectOf = (key: string) => join(bucket(), encodeURIComponent(head + key));
const objectFile = (database: string, key: string) => objectOf(`database/${database}/${key}`);
const dumpIds = [randomUUID(), randomUUID()] as const;

const labelsIn = (keys: readonly string[]) =>
  keys.flatMap((key) => /^data\/backup\/main\/([^/]+)\/backup\.manifest$/.exec(key)?.[1] ?? []);

/** Waits until the store has all that was written by now, base backups among it. */
async function inStep(): Promise<void> {
  for (const name of names) await host.means.wal.takeNow(name);
  const late = async () => host.store?.status().databases_late;
  await until("the store", late, (count) => count === 0, 60);
}

const add = (client: Client, n: number) => client.query("insert into ledger values ($1)", [n]);
const sum = async (client: Client): Promise<number> =>
  Number((await client.query("select sum(n) as sum from ledger")).rows[0].sum);

async function as<Result>(who: TestDatabase, work: (client: Client) => Promise<Result>) {
  const client = await host.connect(who);
  return work(client).finally(() => client.end());
}

const at = (index: number): TestDatabase => {
  const database = databases[index];
  if (database === undefined) throw new Error("There is no such database.");
  return database;
};

const data = (database: string) => join(host.fleet.directory, "repository", database, "data");

/** The machine is gone: all processes at once, and the disk. */
async function lose(): Promise<void> {
  await Promise.all([...findServers(fleetMark(host.fleet)).values()].map(endNow));
  await host.stop();
}

describe("the store", () => {
  test("has whole base backups, finished WAL and what was just written, all sealed", async () => {
    await inStep();
    for (const name of names) {
      const keys = objectsOf(name);
      expect(labelsIn(keys)).toHaveLength(1);
      expect(keys).toContain("data/backup/main/backup.info");
      expect(keys).toContain("record");
      expect(keys.filter((key) => /^data\/archive\/main\/.*-[\da-f]{40}/.test(key))).not.toEqual(
        [],
      );
      expect(keys.filter((key) => /^wal\/[\dA-F]{24}\.000$/.test(key))).toHaveLength(1);
      const record = readFileSync(objectFile(name, "record"));
      expect(record.includes(name)).toBe(false);
    }
  });

  test("lets go of a base backup that expired, and of no other file that is missing", async () => {
    for (const type of ["full", "incr"] as const) await host.databases.backUp(first, type);
    await inStep();
    const [old = "", ...young] = labelsIn(objectsOf(first));
    const { record } = host.keeper.live(first);
    const box = host.keeper.roster.box(record.name);
    const { directory } = repositoryOf(host.fleet, first, { recoveryDays: 7, baseBackupDays: 30 });
    const config = join(directory, "pgbackrest.conf");
    const reach = { readable: { "/c.conf": config }, writable: { "/repository": directory } };
    const words = ["--config=/c.conf", "--stanza=main", `--set=${old}`, "expire"];
    const archive = objectsOf(first).filter((key) => key.startsWith("data/archive/"));
    const segment = archive.findLast((key) => /-[\da-f]{40}/.test(key)) ?? "";
    rmSync(join(data(first), segment.slice("data/".length)));
    await run(toolLine(box, "pgbackrest", words, { onlyReads: true, ...reach }));
    await as(at(0), (client) => add(client, 0));
    await inStep();
    expect(labelsIn(objectsOf(first))).toEqual(young);
    expect(objectsOf(first).filter((key) => key.includes(old))).toEqual(
      objectsOf(first).filter(
        (key) => key.startsWith("data/backup/main/backup.history/") && key.includes(old),
      ),
    );
    expect(objectsOf(first)).toEqual(expect.arrayContaining([segment]));
  });

  test("has dumps, and lets go of those that are removed", async () => {
    const dumps = openDumpStore(host.dumps, "a key");
    const content = async function* () {
      yield Buffer.from("what a database held");
    };
    for (const id of dumpIds) await dumps.write(id, content(), "pg_dump 17");
    const inStore = async () => dumpIds.filter((id) => existsSync(objectOf(`dump/${id}/facts`)));
    await until("both dumps", inStore, (ids) => ids.length === 2);
    dumps.remove(dumpIds[1]);
    await until("one dump", inStore, (ids) => ids.length === 1);
    expect(existsSync(objectOf(`dump/${dumpIds[1]}/00000`))).toBe(false);
  });

  test.each([
    ["is down", "refuse", /the store does not answer as it should/],
    ["fails", "fail", /the store does not answer as it should.*InternalError/],
    ["forbids", "forbid", /the key may not do that/],
  ] as const)(
    "that %s holds up nobody, says why, and has all once it is back",
    async (_, fault, words) => {
      await s3.misbehave(fault);
      for (const database of databases) await as(database, (client) => add(client, 1));
      const said = async () => host.store?.status();
      await until("a reason", said, (status) => words.test(status?.reason ?? ""), 60);
      expect(host.store?.status()).toMatchObject({ behind_since: expect.any(String) });
      await s3.misbehave("none");
      await inStep();
      expect(host.store?.status()).toEqual({ databases_late: 0, behind_since: null, reason: null });
    },
  );
});

describe("a repository that was lost", () => {
  test("comes back from the store, and one made anew is not put over it", async () => {
    await as(at(1), (client) => add(client, 5));
    await inStep();
    const before = objectsOf(second);
    rmSync(data(second), { recursive: true });
    await host.comeAnew();
    await as(at(1), (client) => add(client, 6));
    const said = async () => host.store?.status();
    const isMadeAnew = /was made anew; the store keeps the former one/;
    await until("words", said, (status) => isMadeAnew.test(status?.reason ?? ""), 60);
    expect(objectsOf(second).filter((key) => key.startsWith("data/"))).toEqual(
      before.filter((key) => key.startsWith("data/")),
    );
    // Before it is back here a recovery reads what the store has.
    await host.databases.restore(second, { latest: true });
    expect(await as(at(1), sum)).toBe(1 + 3 + 5 + 6);
    await host.store?.bringBackRepository(second);
    await inStep();
    await as(at(1), (client) => add(client, 7));
    await host.databases.restore(second, { latest: true });
    expect(await as(at(1), sum)).toBe(1 + 3 + 5 + 6 + 7);
    await inStep();
  });

  test("stays as it is while the store gives other bytes", async () => {
    await s3.misbehave("corrupt");
    const bringing = host.store?.bringBackRepository(second);
    await expect(bringing).rejects.toThrow(/other bytes/);
    await s3.misbehave("none");
    expect(existsSync(join(data(second), "archive", "main", "archive.info"))).toBe(true);
    expect(existsSync(join(data(second), "..", "incoming"))).toBe(false);
  });
});

describe("a machine that is gone", () => {
  let moment: string;

  test("comes back with all that was written seconds before, also after kill -9", async () => {
    moment = await as(at(2), async (client) => {
      const { rows } = await client.query("select clock_timestamp()::text as at");
      return rows[0].at;
    });
    for (const database of databases) await as(database, (client) => add(client, 100));
    await inStep();
    const { fleet, ports, remove } = host;
    await lose();
    expect(existsSync(fleet.directory)).toBe(false);
    const order = { fleet, ports, s3: s3.s3, home };
    const begun = await beginRebuild(order);
    await until(
      "one that is back",
      async () => begun.said(),
      (said) => said.includes("is back"),
      60,
    );
    begun.kill();
    await begun.end();
    const { code, said } = await rebuildHost(order);
    expect(code, said).toBe(0);
    for (const name of names) expect(said).toMatch(new RegExp(`${name}: is back at .*LSN 0/`));
    host = await openTestDatabases({ s3: s3.s3, over: { fleet, ports, remove } });
    const sums = [0 + 3 + 100, 1 + 3 + 5 + 6 + 7 + 100, 2 + 3 + 100];
    for (const [index, database] of databases.entries()) {
      expect(await as(database, sum), database.name).toBe(sums[index]);
    }
    const dump = await openDumpStore(host.dumps, "a key").read(dumpIds[0]);
    expect(await text(dump.content)).toBe("what a database held");
    const registered = JSON.parse(readFileSync(join(fleet.directory, "host.json"), "utf8"));
    expect(registered).toMatchObject({ host_id: testHost.hostId, identity: testHost.identity });
    expect(await rebuildHost(order)).toMatchObject({
      code: 1,
      said: expect.stringMatching(/has databases already/),
    });
  }, 180_000);

  test("can be brought to a moment before, and is followed again", async () => {
    await as(at(2), (client) => add(client, 1000));
    await host.databases.backUp(names[2], "full");
    await inStep();
    await host.databases.restore(names[2], { time: moment });
    expect(await as(at(2), sum)).toBe(2 + 3);
  });

  test("is rebuilt but for what the store has damaged, which it names", async () => {
    await inStep();
    const info = objectFile(second, "data/backup/main/backup.info");
    const copy = objectFile(second, "data/backup/main/backup.info.copy");
    for (const file of [info, copy]) writeFileSync(file, "other bytes");
    await host.databases.remove(third);
    const sealer = createSealer(host.fleet.secret);
    const removedAt = async () => {
      const sealed = readFileSync(objectFile(third, "record"));
      const record = sealer.open(`database/${third}/record`, sealed).toString();
      return JSON.parse(record).removedAt;
    };
    await until("its removal in the store", removedAt, (moment) => moment !== null, 60);
    const { fleet, ports, remove } = host;
    await lose();
    const order = { fleet, ports, s3: s3.s3, home };
    const other = { ...order, fleet: { ...fleet, secret: "another".repeat(8) } };
    expect(await rebuildHost(other)).toMatchObject({
      code: 1,
      said: expect.stringMatching(/sealed with another secret/),
    });
    const { code, said } = await rebuildHost(order);
    expect(code, said).toBe(2);
    expect(said).toMatch(new RegExp(`${second}: failed: The store gave other bytes`));
    expect(said).toMatch(new RegExp(`${third}: had been removed; its backups are kept`));
    expect(said).toMatch(/1 databases are back, 1 removed ones are kept, 1 failed/);
    host = await openTestDatabases({ s3: s3.s3, over: { fleet, ports, remove } });
    expect(await as(at(0), sum)).toBe(0 + 3 + 100);
    expect(existsSync(join(data(third), "backup", "main", "backup.info"))).toBe(true);
    await host.store?.forget(third);
    expect(objectsOf(third)).toEqual([]);
  }, 180_000);
});
