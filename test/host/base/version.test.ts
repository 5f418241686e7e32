import { expect, test } from "vitest";
import { findVersion, isAtLeast } from "../../../host/base/version.ts";

test.each([
  ["17", "17"],
  ["17.12-0+deb13u1", "17"],
  ["18.1", "17"],
  ["1.24.1-1+deb13u2", "1.24"],
  ["1.100.0", "1.24"],
  ["2:1.24", "1.24"],
  ["2.55.1", "2.55"],
])("%s is at least %s", (version, minimum) => {
  expect(isAtLeast(version, minimum)).toBe(true);
});

test.each([
  ["15.18", "17"],
  ["1.18.0-1+b1", "1.24"],
  ["1.3", "1.24"],
  ["2.9", "2.55"],
  ["1:0.9", "1.0"],
  ["", "1"],
  ["unknown", "1"],
])("%j is not at least %s", (version, minimum) => {
  expect(isAtLeast(version, minimum)).toBe(false);
});

test.each([
  ["postgres (PostgreSQL) 17.12 (Debian 17.12-0+deb13u1)", "17.12"],
  ["PgBouncer 1.24.1\nlibevent 2.1.12-stable\n", "1.24.1"],
  ["pgBackRest 2.55.1\n", "2.55.1"],
])("%j says its version", (output, version) => {
  expect(findVersion(output)).toBe(version);
});

test("a text without a version says none", () => {
  expect(findVersion("Error: no psql")).toBeUndefined();
});
