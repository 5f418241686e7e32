import { beforeEach, expect, it, vi } from "vitest";
import { scheduleBackups } from "../../src/backup/schedule.ts";
import { baseBackup } from "../../src/backup/table.ts";
import { createTestApi, type TestApi } from "../support/api.ts";

const hour = 3600;

let api: TestApi;
beforeEach(async () => {
  api = await createTestApi();
});

const taken = () => api.context.db.select({ type: baseBackup.type }).from(baseBackup);

it("the backup a host takes first counts: the next one is incremental, hours later", async () => {
  const at = api.clock.now().toISOString();
  vi.spyOn(api.context.host, "baseBackups").mockResolvedValue([
    {
      label: "20260101-000000F",
      repository: 1,
      type: "full",
      started_at: at,
      stopped_at: at,
      database_bytes: 1,
      repository_bytes: 1,
    },
  ]);
  await scheduleBackups(api.context);
  expect(await taken()).toEqual([]);
  api.clock.advance(6 * hour);
  await scheduleBackups(api.context);
  expect(await taken()).toEqual([{ type: "incr" }]);
});

it("without one a full backup is due at once", async () => {
  await scheduleBackups(api.context);
  expect(await taken()).toEqual([{ type: "full" }]);
});
