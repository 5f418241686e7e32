import { beforeEach, expect, it } from "vitest";
import { resolveDamage } from "../../src/backup/damage.ts";
import type { BaseBackup } from "../../src/contract/base-backup.ts";
import type { RecoveryReport } from "../../src/contract/recovery.ts";
import { createTestApi, type TestApi } from "../support/api.ts";
import { runToEnd } from "../support/run.ts";

const label = "20260101-060000F";
const problem = `The base backup ${label}, or one it builds on, is damaged. (bundle/1)`;
const damaged = { repository: 1, backup_label: label, problem, is_damage: true } as const;
const silent = {
  repository: 2,
  backup_label: "20260101-061000F",
  problem: "the store does not answer",
  is_damage: false,
} as const;

let api: TestApi;
let path: string;
let projectId: string;
let databaseId: string;
let databaseName: string;

beforeEach(async () => {
  api = await createTestApi();
  const body = { name: "Smile Dental", data: { postgres: true } };
  const { data } = (await api.call("POST", "/api/v1/projects", { body })).body;
  projectId = data.id;
  ({ id: databaseId, database: databaseName } = data.databases[0]);
  path = `/api/v1/databases/${databaseId}`;
});

/** Has recoveries end otherwise than they would. */
function recoveriesEnd(change: Partial<RecoveryReport>): void {
  const { port } = api.host;
  const { command } = port;
  Object.assign(port, {
    command: async (...call: Parameters<typeof command>) => {
      const report = await command(...call);
      return call[1] === "recovery.status" ? { ...report, ...change } : report;
    },
  });
}

async function restore() {
  const target_time = api.clock.now().toISOString();
  const body = { target_time, name: "rescue" };
  const begun = await api.call("POST", `${path}/restores`, { body });
  expect(begun.status, JSON.stringify(begun.body)).toBe(201);
  const { id } = begun.body.data;
  await runToEnd(api, `project:${projectId}`);
  return (await api.call("GET", `/api/v1/restores/${id}`)).body.data;
}

const alerts = async () =>
  (await api.call("GET", "/api/v1/admin/alerts?kind=backup_damaged")).body.data;

function backupsAre(...left: Partial<BaseBackup>[]): void {
  api.host.things.baseBackups.set(databaseName, left as BaseBackup[]);
}

it("a restore says what its recovery passed over, and damage is an operator's alert", async () => {
  recoveriesEnd({ passed_over: [damaged, silent] });
  const { state, passed_over } = await restore();
  expect(state).toBe("succeeded");
  expect(passed_over).toEqual([
    { repository: 1, backup_id: label, problem },
    { repository: 2, backup_id: silent.backup_label, problem: silent.problem },
  ]);
  const [open, ...others] = await alerts();
  expect(others).toEqual([]);
  expect(open).toMatchObject({ subject: `${databaseId}/${label}`, state: "open" });
  expect(open.message).toContain(problem);
});

it("so does one that failed", async () => {
  recoveriesEnd({ state: "failed", error: problem, passed_over: [damaged] });
  const failed = await restore();
  expect(failed).toMatchObject({ state: "failed", error_message: problem });
  expect(failed.passed_over).toMatchObject([{ backup_id: label }]);
  expect(await alerts()).toHaveLength(1);
});

it("where nothing was passed over nothing is said", async () => {
  expect((await restore()).passed_over).toEqual([]);
  expect(await alerts()).toEqual([]);
});

it("the alert stays until its base backup has expired", async () => {
  recoveriesEnd({ passed_over: [damaged] });
  await restore();
  backupsAre({ repository: 1, label });
  await resolveDamage(api.context);
  expect(await alerts()).toHaveLength(1);
  // The lists of the first repository cannot be read.
  backupsAre({ repository: 2, label: "20260101-061000F" });
  await resolveDamage(api.context);
  expect(await alerts()).toHaveLength(1);
  backupsAre({ repository: 1, label: "20260102-060000F" });
  await resolveDamage(api.context);
  expect(await alerts()).toEqual([]);
});
