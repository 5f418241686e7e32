import { describe, expect, test } from "vitest";
import { planOf } from "../../../host/program/plan.ts";

const gigabyte = 1024 ** 3;
const machine = { memoryBytes: 24 * gigabyte, filesMax: 65_536 };
const config = { databases_max: 300 };

describe("the plan of a cluster", () => {
  test("has backends and clients for each of its databases, where the machine carries them", () => {
    expect(planOf(config, machine)).toEqual({
      backendsMax: 2400,
      connectionsMax: 2500,
      clientsMax: 38_400,
    });
  });

  test("takes half of the memory for idle backends, and no more", () => {
    expect(planOf(config, { ...machine, memoryBytes: 3 * gigabyte }).backendsMax).toBe(512);
  });

  test("never has more clients and backends than files that may be open", () => {
    for (const filesMax of [300, 1024, 4096, 20_000]) {
      const { backendsMax, clientsMax } = planOf(config, { ...machine, filesMax });
      expect(backendsMax + clientsMax).toBeLessThanOrEqual(filesMax);
      expect(backendsMax).toBeGreaterThan(7);
    }
  });

  test("is what its operator says, when the files suffice", () => {
    const own = { ...config, backends_max: 3000, clients_max: 10_000 };
    expect(planOf(own, { memoryBytes: gigabyte, filesMax: 13_100 })).toMatchObject({
      backendsMax: 3000,
      clientsMax: 10_000,
    });
  });

  test.each([
    ["files", config, 200],
    ["its operator's clients", { ...config, clients_max: 65_000 }, 65_100],
    ["its operator's backends", { ...config, backends_max: 5000 }, 65_536],
  ])("is refused with a remedy when %s are too many", (_, planned, filesMax) => {
    expect(() => planOf(planned, { ...machine, filesMax })).toThrow(
      /ulimit -Hn.*allow more, or set backends_max and clients_max lower/,
    );
  });
});
