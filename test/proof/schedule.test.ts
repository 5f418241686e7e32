import { describe, expect, it, test } from "vitest";
import { database } from "../../src/database/table.ts";
import {
  isVerificationDue,
  scheduleVerifications,
  verificationPlan,
} from "../../src/proof/schedule.ts";
import { certificate } from "../../src/proof/table.ts";
import { createTestApi } from "../support/api.ts";
import { hostId } from "../support/seed.ts";

const hour = 3_600_000;
const now = new Date("2026-01-08T00:00:00Z");
const ago = (hours: number) => new Date(now.getTime() - hours * hour);

test.each([1, 6, 7, 8, 300, 350, 351, 5000])("%i databases are covered within a week", (count) => {
  const { hours, sample } = verificationPlan(count);
  expect(sample).toBeGreaterThan(0);
  expect(sample).toBeLessThanOrEqual(50);
  expect(((7 * 24) / hours) * sample).toBeGreaterThanOrEqual(count);
});

describe("a verification is due", () => {
  const succeeded = (hours: number) => ({ state: "succeeded" as const, createdAt: ago(hours) });
  const failed = (hours: number) => ({ state: "failed" as const, createdAt: ago(hours) });

  test.each([
    ["a day after the last one", ago(100), succeeded(24), true],
    ["not before", ago(100), succeeded(23), false],
    ["an hour after one that failed", ago(100), failed(1), true],
    ["not at once after one that failed", ago(100), failed(0.5), false],
    ["a day after the host was there", ago(24), undefined, true],
    ["not on its first day", ago(23), undefined, false],
  ])("%s", (_, since, last, due) => {
    expect(isVerificationDue(now, 24, since, last)).toBe(due);
  });
});

it("takes the databases in turn, each once a week, those never verified first", async () => {
  const api = await createTestApi();
  for (let count = 0; count < 8; count++) {
    const body = { name: `P${count}`, data: { postgres: true } };
    await api.call("POST", "/api/v1/projects", { body });
  }
  const databases = await api.context.db.select({ id: database.id }).from(database);
  const seen: string[] = [];
  for (const due of [2, 2, 2, 2, 0, 0, 2, 2]) {
    api.clock.advance(24 * 3600);
    await scheduleVerifications(api.context);
    await api.context.drive(`host:${hostId}`, 1000);
    const rows = await api.context.db
      .select({ id: certificate.databaseId })
      .from(certificate)
      .orderBy(certificate.seq);
    const fresh = rows.slice(seen.length).map(({ id }) => id);
    expect(fresh).toHaveLength(due);
    seen.push(...fresh);
  }
  expect(new Set(seen.slice(0, 8))).toEqual(new Set(databases.map(({ id }) => id)));
  expect(seen.slice(8)).toEqual(seen.slice(0, 4));
});

it("begins none while there is nothing to verify, nor a second one beside the first", async () => {
  const api = await createTestApi();
  api.clock.advance(48 * 3600);
  await scheduleVerifications(api.context);
  const kinds = async () =>
    (await api.call("GET", "/api/v1/operations?kind=host.verify_backup")).body.data.length;
  expect(await kinds()).toBe(0);
  await api.call("POST", "/api/v1/projects", { body: { name: "P", data: { postgres: true } } });
  await scheduleVerifications(api.context);
  await scheduleVerifications(api.context);
  expect(await kinds()).toBe(1);
});
