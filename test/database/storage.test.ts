import { beforeEach, describe, expect, it, test } from "vitest";
import { measureStorage } from "../../src/database/measure.ts";
import { climb, type StorageState } from "../../src/database/storage.ts";
import { createTestApi, type TestApi } from "../support/api.ts";
import { createRandom } from "../support/source.ts";

const gibibyte = 1024 ** 3;

describe("the ladder", () => {
  test.each<[string, number, number, StorageState, number, StorageState]>([
    ["empty", 0, 1, "normal", 1, "normal"],
    ["below its step", 0.79, 1, "normal", 1, "normal"],
    ["at its step", 0.8, 1, "normal", 2, "normal"],
    ["far beyond its step", 5, 1, "normal", 6.75, "normal"],
    ["near its ceiling", 8, 10, "normal", 10, "warning"],
    ["a little less than that", 7.6, 10, "warning", 10, "warning"],
    ["well below", 7.4, 10, "warning", 10, "normal"],
    ["at its ceiling", 10, 10, "warning", 10, "full"],
    ["just below its ceiling again", 9.6, 10, "full", 10, "full"],
    ["with room again", 9.4, 10, "full", 10, "warning"],
    ["emptied", 0.1, 10, "full", 10, "normal"],
  ])("%s", (_, used, allocated, state, nextAllocated, nextState) => {
    const next = climb({
      usedBytes: used * gibibyte,
      allocatedBytes: allocated * gibibyte,
      ceilingBytes: 10 * gibibyte,
      state,
    });
    expect(next.state).toBe(nextState);
    expect(next.allocatedBytes / gibibyte).toBeCloseTo(nextAllocated, 1);
  });

  test("never allocates more than the ceiling, is full at it, and comes to rest", () => {
    const random = createRandom(7);
    const number = () => (random(4).reduce((sum, byte) => sum * 256 + byte, 0) / 2 ** 32) * 2e12;
    const states = ["normal", "warning", "full"] as const;
    for (let round = 0; round < 2000; round++) {
      const ceilingBytes = 1 + number();
      const facts = { usedBytes: number(), allocatedBytes: 1 + number(), ceilingBytes };
      const next = climb({ ...facts, state: states[round % 3] ?? "normal" });
      expect(next.allocatedBytes).toBeLessThanOrEqual(ceilingBytes);
      if (facts.usedBytes >= ceilingBytes) expect(next.state).toBe("full");
      expect(climb({ ...facts, ...next })).toEqual(next);
    }
  });
});

describe("a database that fills", () => {
  let api: TestApi;
  let path: string;
  beforeEach(async () => {
    api = await createTestApi();
    const body = { name: "Smile Dental", data: { postgres: true } };
    const { data } = (await api.call("POST", "/api/v1/projects", { body })).body;
    path = `/api/v1/databases/${data.databases[0].id}`;
  });

  /** Measures `bytes`, and runs what follows. */
  async function measured(bytes: number) {
    api.host.store(bytes);
    api.nudges.length = 0;
    await measureStorage(api.context);
    for (const lane of api.nudges) await api.context.drive(lane, 0);
    return (await api.call("GET", path)).body.data;
  }
  const isFull = () => [...api.host.databases.values()].map(({ spec }) => spec.is_full);

  it("says what it takes and grows before it is full", async () => {
    const { storage } = await measured(0.5 * gibibyte);
    expect(storage).toMatchObject({ used_bytes: 0.5 * gibibyte, allocated_bytes: gibibyte });
    expect((await measured(0.9 * gibibyte)).storage).toMatchObject({
      allocated_bytes: 2 * gibibyte,
      ceiling_bytes: 10 * gibibyte,
      state: "normal",
    });
  });

  it("warns, takes only reads and deletes at its ceiling, and leaves that by itself", async () => {
    expect((await measured(8.5 * gibibyte)).storage.state).toBe("warning");
    expect((await measured(10 * gibibyte)).storage.state).toBe("full");
    expect(isFull()).toEqual([true]);
    expect((await measured(9.8 * gibibyte)).storage.state).toBe("full");
    expect((await measured(2 * gibibyte)).storage.state).toBe("normal");
    expect(isFull()).toEqual([false]);
  });

  it("takes its WAL as much as its data, and stopped as much as running", async () => {
    await api.call("POST", `${path}/stop`);
    api.host.store(9 * gibibyte, gibibyte);
    await measureStorage(api.context);
    for (const lane of api.nudges) await api.context.drive(lane, 0);
    expect(isFull()).toEqual([true]);
    expect((await api.call("GET", path)).body.data).toMatchObject({
      state: "stopped",
      storage: { used_bytes: 10 * gibibyte, state: "full" },
    });
  });

  it("leaves that state too when its ceiling is raised", async () => {
    await measured(10 * gibibyte);
    await api.call("PATCH", `${path.replace("/databases", "/admin/databases")}/limits`, {
      body: { storage_mb_max: 40 * 1024 },
    });
    expect((await measured(10 * gibibyte)).storage).toMatchObject({ state: "normal" });
  });

  it("writes nothing when nothing changed", async () => {
    await measured(0.5 * gibibyte);
    const before = (await api.call("GET", path)).body.data.storage.measured_at;
    api.clock.advanceTo(new Date(api.clock.now().getTime() + 60_000));
    expect((await measured(0.5 * gibibyte)).storage.measured_at).toBe(before);
  });
});
