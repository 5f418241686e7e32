// What becomes of instances that live and let nobody in.
import { beforeEach, expect, test } from "vitest";
import type { Answer } from "../../../host/base/server-probe.ts";
import { createHealer } from "../../../host/instance/healer.ts";
import type { InstanceCondition } from "../../../host/instance/roster.ts";

let seconds: number;
let answer: Answer;
let probed: number;
let sentOn: number[];
let startedAnew: number[];
let told: string[];
let healer: ReturnType<typeof createHealer>;

const size = { memoryBytes: 1, processors: 1, backendsMax: 1, temporaryBytesMax: 1 };
function one(condition: InstanceCondition["condition"]): InstanceCondition {
  const own = { name: "a", database: "a", slot: 1, systemIdentifier: "1", size, login: "u" };
  const server = { pid: 7, startedTicks: "1" };
  return { record: { ...own, wanted: "running" }, server, condition };
}

beforeEach(() => {
  [seconds, answer, probed] = [0, "answers", 0];
  [sentOn, startedAnew, told] = [[], [], []];
  healer = createHealer({
    probe: async () => {
      probed += 1;
      return answer;
    },
    sendOn: ({ pid }) => void sentOn.push(pid),
    startAnew: async (_, { pid }) => {
      startedAnew.push(pid);
      return true;
    },
    tell: (name, what) => void told.push(`${name} ${what}`),
    clock: () => seconds * 1000,
  });
});

async function after(later: number, condition: InstanceCondition["condition"], waited = 0) {
  seconds += later;
  await healer.look([one(condition)], () => waited);
  await Promise.resolve();
}

test("one that was halted is sent on after two seconds", async () => {
  await after(0, "halted");
  await after(1, "halted");
  expect(sentOn).toEqual([]);
  await after(1, "halted");
  expect([sentOn, told]).toEqual([[7], ["a halted"]]);
});

test("one whose clients do not wait is not asked", async () => {
  answer = "silent";
  for (let times = 0; times < 20; times++) await after(1, "runs", 1);
  expect([probed, told]).toEqual([0, []]);
});

test("one that does not answer while clients wait is started anew", async () => {
  answer = "silent";
  for (let times = 0; times < 4; times++) await after(1, "runs", 3);
  expect(startedAnew).toEqual([]);
  await after(1, "runs", 7);
  expect([startedAnew, told]).toEqual([[7], ["a hung"]]);
});

test("one that answers is busy, and one that recovers takes its time", async () => {
  for (answer of ["answers", "starting"] as const) {
    for (let times = 0; times < 20; times++) await after(1, "runs", 60);
  }
  expect([startedAnew, told]).toEqual([[], []]);
});

test("one that was told to stop and does not go is started anew", async () => {
  answer = "leaving";
  for (let times = 0; times < 5; times++) await after(1, "runs", 3);
  expect([startedAnew, told]).toEqual([[7], ["a left"]]);
});

test("patience begins anew when nobody was looking", async () => {
  await after(0, "halted");
  healer.forget();
  await after(30, "halted");
  expect(sentOn).toEqual([]);
});
