// An object store as the second copy of databases that have a Postgres each: it follows within
// seconds, goes on after it was down, and from it all come back once the machine is gone.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { rebuild } from "../../host/store/rebuild.ts";
import { until } from "../support/client.ts";
import { openTestDatabases, type TestDatabase, testHost } from "../support/databases.ts";
import { startS3, type TestS3 } from "../support/s3.ts";

let s3: TestS3;
let host: Awaited<ReturnType<typeof openTestDatabases>>;
beforeAll(async () => {
  s3 = await startS3();
  host = await openTestDatabases({ s3: s3.s3 });
});
afterAll(async () => {
  await host?.stop();
  await s3?.stop();
});

const names = ["proj_test_store_a", "proj_test_store_b", "proj_test_store_c"];
const databases: TestDatabase[] = [];
const retention = { recoveryDays: 7, baseBackupDays: 30 };

/** Names of all objects, without what is common to them. */
function objects(): readonly string[] {
  const head = `miosa/${testHost.hostId}/`;
  return readdirSync(join(s3.directory, "bucket", "object"))
    .map(decodeURIComponent)
    .map((key) => key.slice(head.length))
    .toSorted();
}

/** Waits until the store has all that was written. */
async function inStep(): Promise<void> {
  await until(
    "the store",
    async () => host.store?.status().databases_late,
    (late) => late === 0,
    60,
  );
}

const add = (client: Client, n: number) => client.query("insert into ledger values ($1)", [n]);
const sum = async (client: Client): Promise<string> =>
  (await client.query("select sum(n)::text as sum from ledger")).rows[0].sum;

async function onceWith<Result>(of: TestDatabase, work: (client: Client) => Promise<Result>) {
  const client = await host.connect(of);
  return work(client).finally(() => client.end());
}

describe("the store", () => {
  test("has a base backup, finished WAL and what was just written", async () => {
    for (const name of names) databases.push(await host.create(name));
    for (const [at, database] of databases.entries()) {
      await onceWith(database, async (client) => {
        await client.query("create table ledger (n int)");
        await add(client, at);
        await host.databases.backUp(database.name, "full");
        await add(client, 10);
      });
      host.store?.noteOwner(database.name, `sealed ${at}`);
    }
    await until(
      "manifests",
      async () => objects(),
      (all) =>
        names.every((name) =>
          all.some(
            (key) =>
              key.startsWith(`database/${name}/data/backup/main/2`) &&
              key.endsWith("/backup.manifest"),
          ),
        ),
      60,
    );
    await inStep();
    for (const name of names) {
      const own = objects().filter((key) => key.startsWith(`database/${name}/`));
      expect(own).toContain(`database/${name}/data/backup/main/backup.info`);
      expect(own.some((key) => /wal\/[\dA-F]{24}\.000$/.test(key))).toBe(true);
    }
  });
});

describe("a machine that is gone", () => {
  test("comes back from the store with all that was written seconds before", async () => {
    for (const database of databases) await onceWith(database, (client) => add(client, 100));
    await inStep();
    const { fleet, ports, remove } = host;
    await host.lose();
    expect(existsSync(fleet.directory)).toBe(false);
    const rebuilt = await rebuild({
      ...{ fleet, s3: s3.s3, hostId: testHost.hostId, retention },
      identified: (identity) => expect(identity).toBe(testHost.identity),
      told: (one) => console.error(JSON.stringify(one)),
    });
    expect(rebuilt.map(({ outcome }) => outcome)).toEqual(["recovered", "recovered", "recovered"]);
    host = await openTestDatabases({ s3: s3.s3, over: { fleet, ports, remove } });
    for (const [at, database] of databases.entries()) {
      expect(await onceWith(database, sum)).toBe(String(at + 110));
    }
  });
});
