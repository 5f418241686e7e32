import { eq } from "drizzle-orm";
import { beforeEach, expect, it } from "vitest";
import type { VerifiedDatabase } from "../../src/contract/verification.ts";
import { scheduleVerifications } from "../../src/proof/schedule.ts";
import { certificate } from "../../src/proof/table.ts";
import { forgetCertificates, watchVerifications } from "../../src/proof/watch.ts";
import { event } from "../../src/webhook/table.ts";
import { createTestApi, type TestApi } from "../support/api.ts";
import { passedChecks } from "../support/fake-recovery.ts";
import { hostId } from "../support/seed.ts";

const hour = 3600;

let api: TestApi;
let databaseId: string;
beforeEach(async () => {
  api = await createTestApi();
  const body = { name: "Smile Dental", data: { postgres: true } };
  const { data } = (await api.call("POST", "/api/v1/projects", { body })).body;
  databaseId = data.databases[0].id;
});

async function alerts() {
  await watchVerifications(api.context);
  return (await api.call("GET", "/api/v1/admin/alerts?kind=verification_failed")).body.data;
}

async function verified(checks: VerifiedDatabase["checks"]): Promise<void> {
  api.host.things.checks = checks;
  const path = `/api/v1/admin/hosts/${hostId}/verifications`;
  await api.call("POST", path, { body: { database_id: databaseId } });
  await api.context.drive(`host:${hostId}`, 1000);
}

const damaged = passedChecks.map((check) =>
  check.name === "restore"
    ? { ...check, result: "failed" as const, detail: "The file base/1/2 is damaged." }
    : check,
);

it("what did not come back whole is an alert with its file, until it does", async () => {
  await verified(damaged);
  const [open, ...others] = await alerts();
  expect(others).toEqual([]);
  expect(open).toMatchObject({ kind: "verification_failed", subject: databaseId });
  expect(open.message).toContain("The file base/1/2 is damaged.");
  expect(await alerts()).toHaveLength(1);
  await verified(passedChecks);
  expect(await alerts()).toEqual([]);
});

it("whoever owns what did not come back whole is told why", async () => {
  await verified(passedChecks);
  await verified(damaged);
  const { body } = await api.call("GET", `/api/v1/databases/${databaseId}/certificates`);
  const isTold = eq(event.type, "database.verification_failed");
  const [only, ...others] = await api.context.db.select().from(event).where(isTold);
  expect(others).toEqual([]);
  expect(only).toMatchObject({ resourceId: databaseId });
  expect(only?.data).toMatchObject({
    certificate_id: body.data[0].id,
    backup_id: "20260101-000000F",
  });
  expect(only?.data.reason).toBe("restore: The file base/1/2 is damaged.");
});

it("what cannot be restored any more is no alert any more", async () => {
  await verified(damaged);
  expect(await alerts()).toHaveLength(1);
  await api.call("DELETE", `/api/v1/databases/${databaseId}?grace_seconds=0`);
  expect((await api.call("GET", `/api/v1/databases/${databaseId}`)).status).toBe(404);
  expect(await alerts()).toEqual([]);
});

it("a verification that could not be carried out certifies nothing and is an alert", async () => {
  const error = "The disk is full.";
  const failed = { state: "failed", error, versions: null, databases: [] } as const;
  const { port } = api.host;
  const { command } = port;
  Object.assign(port, {
    command: async (...call: Parameters<typeof command>) =>
      call[1] === "verification.status" ? failed : command(...call),
  });
  await verified(passedChecks);
  const [open] = await alerts();
  expect(open).toMatchObject({ subject: hostId });
  expect(open.message).toContain("The disk is full.");
  const { body } = await api.call("GET", `/api/v1/databases/${databaseId}/certificates`);
  expect(body.data).toEqual([]);
});

it("a host that was not verified for too long is an alert until it is", async () => {
  api.clock.advance(35 * hour);
  expect(await alerts()).toEqual([]);
  api.clock.advance(2 * hour);
  expect(await alerts()).toMatchObject([{ subject: hostId }]);
  await scheduleVerifications(api.context);
  await api.context.drive(`host:${hostId}`, 1000);
  expect(await alerts()).toEqual([]);
});

it("a host that had nothing to verify is not late with its first database", async () => {
  await api.call("DELETE", `/api/v1/databases/${databaseId}?grace_seconds=0`);
  api.clock.advance(100 * hour);
  expect(await alerts()).toEqual([]);
  await api.call("POST", "/api/v1/projects", { body: { name: "New", data: { postgres: true } } });
  expect(await alerts()).toEqual([]);
  api.clock.advance(37 * hour);
  expect(await alerts()).toHaveLength(1);
});

it("certificates are kept for a year and a month", async () => {
  const kept = async () => {
    await forgetCertificates(api.context);
    return api.context.db.select().from(certificate);
  };
  await verified(passedChecks);
  api.clock.advance(399 * 24 * hour);
  expect(await kept()).toHaveLength(1);
  api.clock.advance(2 * 24 * hour);
  expect(await kept()).toHaveLength(0);
});
