import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { StoreRefusal } from "../../../host/store/problem.ts";
import { createRounds, type RoundsOptions } from "../../../host/store/rounds.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const make = (work: RoundsOptions["work"], more: Partial<RoundsOptions> = {}) =>
  createRounds({ work, atOnce: 2, restMilliseconds: 1000, ...more });

/** Work that ends when it is told to. */
function held() {
  const ends: (() => void)[] = [];
  const begun: string[] = [];
  const work = (database: string) => {
    begun.push(database);
    return new Promise<boolean>((resolve) => {
      ends.push(() => resolve(false));
    });
  };
  return { work, begun, ends };
}

describe("rounds", () => {
  test("are a few at a time, and one at a time for each database", async () => {
    const { work, begun, ends } = held();
    const rounds = make(work);
    for (const database of ["a", "b", "c", "a"]) rounds.need(database);
    expect(begun).toEqual(["a", "b"]);
    ends[0]?.();
    await vi.advanceTimersByTimeAsync(0);
    expect(begun).toEqual(["a", "b", "c"]);
    // What came for `a` while it was being done is done after a rest.
    await vi.advanceTimersByTimeAsync(2000);
    expect(begun).toEqual(["a", "b", "c"]);
    for (const end of ends) end();
    await vi.advanceTimersByTimeAsync(0);
    expect(begun).toEqual(["a", "b", "c", "a"]);
  });

  test("of one database rest between, however often it is asked for", async () => {
    let count = 0;
    const rounds = make(async () => {
      count++;
      return false;
    });
    for (let n = 0; n < 100; n++) {
      rounds.need("a");
      await vi.advanceTimersByTimeAsync(50);
    }
    expect(count).toBeLessThanOrEqual(6);
    expect(count).toBeGreaterThanOrEqual(5);
    await vi.advanceTimersByTimeAsync(2000);
    expect(rounds.late()).toEqual([]);
  });

  test("that leave something let others go first", async () => {
    const order: string[] = [];
    let left = 3;
    const rounds = make(
      async (database) => {
        order.push(database);
        return database === "a" && left-- > 0;
      },
      { atOnce: 1 },
    );
    for (const database of ["a", "b", "c"]) rounds.need(database);
    await vi.advanceTimersByTimeAsync(100);
    expect(order.slice(0, 3)).toEqual(["a", "b", "c"]);
    expect(order.filter((database) => database === "a")).toHaveLength(4);
  });

  test("that fail are tried later each time, and hold up nobody else's", async () => {
    const tries: number[] = [];
    const others: string[] = [];
    const rounds = make(async (database) => {
      others.push(database);
      if (database === "a") {
        tries.push(Date.now());
        throw new StoreRefusal(403, "AccessDenied", "PUT it");
      }
      return false;
    });
    const start = Date.now();
    rounds.need("a");
    for (let n = 0; n < 10; n++) {
      rounds.need(`other ${n}`);
      await vi.advanceTimersByTimeAsync(1000);
    }
    expect(others.filter((database) => database !== "a")).toHaveLength(10);
    expect(tries.map((at) => at - start)).toEqual([0, 1000, 3000, 7000]);
    expect(rounds.late()).toMatchObject([
      { database: "a", since: start, reason: expect.stringMatching(/the key may not do that/) },
    ]);
  });

  test("wait no longer once the store is reached again, which is told once", async () => {
    let isDown = true;
    const told: (string | null)[] = [];
    const work = async () => {
      if (isDown) throw new Error("connect ECONNREFUSED");
      return false;
    };
    const rounds = make(work, { told: (problem) => told.push(problem) });
    for (const database of ["a", "b"]) rounds.need(database);
    await vi.advanceTimersByTimeAsync(60_000);
    isDown = false;
    rounds.need("c");
    await vi.advanceTimersByTimeAsync(1);
    expect(rounds.late()).toEqual([]);
    expect(told).toEqual([expect.stringMatching(/check that it is up/), null]);
  });
});
