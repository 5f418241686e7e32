import { expect, test } from "vitest";
import { isDue, untilNext } from "../../local/launch/cron.ts";

// A Monday.
const date = new Date("2026-11-23T06:30:00Z");

test.each([
  "* * * * *",
  "30 * * * *",
  "*/15 6 * * *",
  "0,30 6-8 23 11 *",
  "30 6 * * 2",
  "0/10 * * * *",
])("%s is due on Monday 2026-11-23 at 06:30", (cron) => {
  expect(isDue(cron, date)).toBe(true);
});

test.each(["31 * * * *", "*/7 * * * *", "30 7-9 * * *", "30 6 * 12 *", "30 6 * * 1"])(
  "%s is not due on Monday 2026-11-23 at 06:30",
  (cron) => {
    expect(isDue(cron, date)).toBe(false);
  },
);

test.each(["* * * *", "x * * * *", "30 6 * * MON"])("%s is refused rather than ignored", (cron) => {
  expect(() => isDue(cron, date)).toThrow(/cron trigger/);
});

test("the next minute is never this one", () => {
  expect(untilNext(60, date.getTime())).toBe(60_000);
  expect(untilNext(60, date.getTime() + 59_999)).toBe(1);
  expect(untilNext(5, date.getTime() + 59_000)).toBe(1000);
});
