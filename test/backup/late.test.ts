import { beforeEach, expect, it } from "vitest";
import { watchArchives, watchBackups } from "../../src/backup/late.ts";
import { backUpNow } from "../../src/backup/schedule.ts";
import type { ArchiveReport } from "../../src/contract/archive.ts";
import { createTestApi, type TestApi } from "../support/api.ts";
import { idleArchive } from "../support/fake-recovery.ts";
import { hostId } from "../support/seed.ts";

let api: TestApi;
beforeEach(async () => {
  api = await createTestApi();
});

const alerts = async () => (await api.call("GET", "/api/v1/admin/alerts")).body.data;

async function look(status: Partial<ArchiveReport>): Promise<void> {
  const archiveStatus = async () => ({ ...idleArchive, ...status });
  await watchArchives({ ...api.context, host: { ...api.context.host, archiveStatus } });
}

const ago = (seconds: number) =>
  new Date(api.context.now().getTime() - seconds * 1000).toISOString();

it("WAL that waits for more than two minutes is an alert until it is archived", async () => {
  await look({ unarchived_since: ago(119) });
  expect(await alerts()).toEqual([]);
  await look({ unarchived_since: ago(121) });
  expect(await alerts()).toMatchObject([{ kind: "archive_late" }]);
  await look({});
  expect(await alerts()).toEqual([]);
});

it("a second repository that is behind is an alert with the words of what to do", async () => {
  const reason = "the store does not know the key: check backup.s3.key (InvalidAccessKeyId)";
  await look({ store: { copied_wal: null, behind_since: ago(600), reason } });
  const [open] = await alerts();
  expect(open.message).toContain("check backup.s3.key");
  await look({ store: { copied_wal: null, behind_since: null, reason: null } });
  expect(await alerts()).toEqual([]);
});

async function backedUp(end: { state: "succeeded" | "failed"; error: string | null }) {
  Object.assign(api.context.host, { baseBackup: async () => end });
  await backUpNow(api.context, hostId, "incr");
  await api.context.drive(`host:${hostId}`, 1000);
}

it("a base backup that failed is an alert until one succeeds", async () => {
  await backedUp({ state: "failed", error: "The disk is full." });
  await watchBackups(api.context);
  expect(await alerts()).toMatchObject([{ kind: "backup_failed", subject: hostId }]);
  await backedUp({ state: "succeeded", error: null });
  await watchBackups(api.context);
  expect(await alerts()).toEqual([]);
});

it("a base backup that is missed for half as long again is an alert", async () => {
  api.clock.advance(9 * 3600);
  await watchBackups(api.context);
  expect(await alerts()).toEqual([]);
  api.clock.advance(60);
  await watchBackups(api.context);
  expect(await alerts()).toMatchObject([{ kind: "backup_failed" }]);
});
