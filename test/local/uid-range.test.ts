// Users of databases are nobody else's, and the same ones at every start.
import { expect, test } from "vitest";
import { freeRange, mappedIn, rangeOf, type SystemUsers } from "../../local/launch/uid-range.ts";

const whole = "         0          0 4294967295\n";
const users = (more: Partial<SystemUsers> = {}): SystemUsers => ({
  subordinate: ["", ""],
  known: ["root:x:0:0:root:/root:/bin/sh\n", "root:x:0:\n"],
  maps: [whole, whole],
  ...more,
});

test("the longest range of a user is its own, by name or by number", () => {
  const text = "# comment\nlxd:1:2\nann:100000:65536\n1000:300000:100000\nann:500:20\n";
  expect(rangeOf(text, ["ann"])).toEqual({ first: 100_000, count: 65_536 });
  expect(rangeOf(text, ["ann", "1000"])).toEqual({ first: 300_000, count: 100_000 });
  expect(rangeOf(text, ["bob"])).toBeUndefined();
});

test("a free range is one that nobody has, and another one for another installation", () => {
  const first = freeRange(users(), 7);
  expect(first).toEqual({ first: 0x7000_0000 + 7 * 65_536, count: 65_536 });
  expect(freeRange(users(), 8)).not.toEqual(first);
  const taken = `lxd:${0x7000_0000 + 7 * 65_536 + 100}:5\n`;
  expect(freeRange(users({ subordinate: ["", taken] }), 7)?.first).toBe(0x7000_0000 + 8 * 65_536);
  const somebody = `sam:x:${0x7000_0000 + 7 * 65_536}:1::/:/bin/sh\n`;
  expect(freeRange(users({ known: [somebody, ""] }), 7)?.first).toBe(0x7000_0000 + 8 * 65_536);
});

test("in a container with few users it is among those, or there is none", () => {
  const few = "0 100000 65536\n";
  expect(mappedIn(few)).toEqual([{ first: 0, count: 65_536 }]);
  expect(freeRange(users({ maps: [few, few] }), 7)).toEqual({ first: 20_000, count: 40_000 });
  expect(freeRange(users({ maps: [few, "0 1000 1\n"] }), 7)).toBeUndefined();
});
