import { beforeEach, describe, expect, it } from "vitest";
import { watchBackups } from "../../src/backup/watch.ts";
import type { BackupProblem } from "../../src/contract/backup.ts";
import { database } from "../../src/database/table.ts";
import { event } from "../../src/webhook/table.ts";
import { createTestApi, type TestApi } from "../support/api.ts";
import { hostId } from "../support/seed.ts";

const since = "2026-01-01T00:00:00.000Z";

let api: TestApi;
let id: string;
let name: string;
beforeEach(async () => {
  api = await createTestApi();
  const body = { name: "Smile Dental", data: { postgres: true } };
  const { data } = (await api.call("POST", "/api/v1/projects", { body })).body;
  id = data.databases[0].id;
  name = data.databases[0].database;
});

const aProblem = (kind: BackupProblem["kind"], of = name): BackupProblem => {
  return { database: of, kind, since, detail: "The disk is full." };
};

/** What the hosts say is wrong, and what operators see after the next look. */
async function look(...problems: BackupProblem[]) {
  api.host.things.backupProblems = problems;
  await watchBackups(api.context);
  return alerts();
}

const alerts = async () => (await api.call("GET", "/api/v1/admin/alerts")).body.data;

async function told(): Promise<unknown[]> {
  const rows = await api.context.db.select().from(event).orderBy(event.seq);
  return rows
    .filter(({ type }) => type.startsWith("database.backup_"))
    .map(({ type, resourceId, data }) => [type, resourceId, data.problem]);
}

describe("what a host says is wrong with a database's backups", () => {
  it.each([
    ["wal_late", "archive_late"],
    ["backup_late", "backup_failed"],
    ["backup_failed", "backup_failed"],
    ["damaged", "backup_damaged"],
  ] as const)(
    "%s is an alert, and an event when it begins and when it is over",
    async (kind, of) => {
      const [open, ...others] = await look(aProblem(kind));
      expect(others).toEqual([]);
      expect(open).toMatchObject({ kind: of, subject: id, state: "open" });
      expect(open.message).toContain("The disk is full.");
      expect(await look(aProblem(kind))).toHaveLength(1);
      expect(await told()).toEqual([["database.backup_problem", id, kind]]);
      expect(await look()).toEqual([]);
      expect(await told()).toEqual([
        ["database.backup_problem", id, kind],
        ["database.backup_resolved", id, kind],
      ]);
    },
  );

  it("is one alert where the last backup failed and is late", async () => {
    expect(await look(aProblem("backup_failed"), aProblem("backup_late"))).toHaveLength(1);
  });

  it("stays while its host is silent", async () => {
    await look(aProblem("wal_late"));
    api.host.things.away.add(hostId);
    await watchBackups(api.context);
    expect(await alerts()).toHaveLength(1);
  });

  it("is the operator's alone where no row names the database", async () => {
    const [open] = await look(aProblem("damaged", "proj_nobody"));
    expect(open).toMatchObject({ subject: `${hostId}/proj_nobody` });
    expect(await told()).toEqual([]);
  });

  it("writes nothing while it is the same", async () => {
    const [before] = await look(aProblem("wal_late"));
    api.clock.advance(60);
    const [after] = await look(aProblem("wal_late"));
    expect(after).toEqual(before);
  });
});

it("a store that is late is one alert of its host, and nobody's event", async () => {
  await api.call("POST", "/api/v1/projects", { body: { name: "Two", data: { postgres: true } } });
  const rows = await api.context.db.select().from(database);
  const late = rows.map(({ databaseName }) => aProblem("store_late", databaseName));
  const [open, ...others] = await look(...late);
  expect(others).toEqual([]);
  expect(open).toMatchObject({ kind: "archive_late", subject: `${hostId}/store` });
  expect(open.message).toContain("2 databases");
  expect(await told()).toEqual([]);
  expect(await look()).toEqual([]);
});
