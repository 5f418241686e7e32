// What becomes of instances that ended by themselves.
import { setImmediate } from "node:timers/promises";
import { beforeEach, expect, test } from "vitest";
import { createReviver } from "../../../host/instance/reviver.ts";
import type { InstanceCondition } from "../../../host/instance/roster.ts";

let seconds: number;
let failing: Error | undefined;
let tried: string[];
let told: string[];
let ending: AbortController;
let reviver: ReturnType<typeof createReviver>;

const size = { memoryBytes: 1, processors: 1, backendsMax: 1, temporaryBytesMax: 1 };
function one(name: string, condition: InstanceCondition["condition"]): InstanceCondition {
  const own = { name, database: name, slot: 1, systemIdentifier: "1", size, login: "u" };
  return { record: { ...own, wanted: "running" }, server: undefined, condition };
}

beforeEach(() => {
  seconds = 0;
  failing = undefined;
  [tried, told] = [[], []];
  ending = new AbortController();
  reviver = createReviver({
    revive: async (name) => {
      tried.push(name);
      if (failing !== undefined) throw failing;
      return true;
    },
    onRevived: (name) => told.push(`${name} again`),
    onFailure: (name, reason) => told.push(`${name}: ${reason}`),
    clock: () => seconds * 1000,
    signal: ending.signal,
  });
});

/** One look later. */
async function look(conditions: readonly InstanceCondition[], later = 0, isExpected = false) {
  seconds += later;
  reviver.look(conditions, isExpected);
  await setImmediate();
  await setImmediate();
}

test("one that ended is started again at once, and told of", async () => {
  await look([one("a", "gone"), one("b", "runs")]);
  expect([tried, told]).toEqual([["a"], ["a again"]]);
});

test("one that was stopped in order is started again without a word", async () => {
  await look([one("a", "gone")], 0, true);
  expect([tried, told]).toEqual([["a"], []]);
});

test("one that does not start is tried less and less often, and told of once", async () => {
  failing = new Error("disk on fire");
  for (let second = 0; second < 3600; second++) await look([one("a", "gone")], 1);
  expect(told).toEqual(["a: disk on fire"]);
  expect(tried.length).toBeGreaterThan(10);
  expect(tried.length).toBeLessThan(25);
  expect(reviver.failureOf("a")).toBe("disk on fire");
  failing = undefined;
  await look([one("a", "gone")], 300);
  expect(told.at(-1)).toBe("a again");
  await look([one("a", "runs")], 1);
  expect(reviver.failureOf("a")).toBeUndefined();
});

test("one that ends again and again waits longer, until it has run for a while", async () => {
  for (let second = 0; second < 60; second++) await look([one("a", "gone")], 1);
  const often = tried.length;
  expect(often).toBeLessThan(8);
  await look([one("a", "runs")], 601);
  await look([one("a", "gone")], 1);
  await look([one("a", "runs")], 1);
  expect(tried.length).toBe(often + 1);
});

test("nobody is started once the host program ends, nor what is not to run", async () => {
  const stopped = one("b", "gone");
  await look([{ ...stopped, record: { ...stopped.record, wanted: "asleep" } }]);
  ending.abort();
  await look([one("a", "gone")]);
  expect(tried).toEqual([]);
});
