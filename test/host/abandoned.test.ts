import { expect, test } from "vitest";
import { isAbandoned } from "../../host/abandoned.ts";

const minutes = (count: number) => count * 60_000;
const ready = { state: "ready", askedAt: 0, isLoading: false } as const;
const preview = { ...ready, keepUntil: minutes(62) };

test.each([
  ["at work, however long", { ...ready, state: "running" as const }, minutes(600), false],
  ["that waits for its load", ready, minutes(119), false],
  ["nobody has asked for in two hours", ready, minutes(121), true],
  ["that failed, and was told", { ...ready, state: "failed" as const }, minutes(121), true],
  ["being loaded", { ...ready, isLoading: true }, minutes(600), false],
])("a recovery %s is left, or taken, by the clock", (_, wanted, now, is) => {
  expect(isAbandoned(wanted, now)).toBe(is);
});

test.each([
  ["stands for its time, asked for or not", preview, minutes(61), false],
  ["is gone after it", preview, minutes(63), true],
  ["is not taken from who asks just now", { ...preview, askedAt: minutes(63) }, minutes(63), false],
  ["is not taken while it is loaded", { ...preview, isLoading: true }, minutes(90), false],
])("a preview %s", (_, wanted, now, is) => {
  expect(isAbandoned(wanted, now)).toBe(is);
});
