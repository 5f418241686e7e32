import { describe, expect, test } from "vitest";
import { isUuid, newId, opaqueName, randomToken } from "../../src/core/id.ts";
import { createClock, createRandom } from "../support/source.ts";

const source = { now: createClock().now, random: createRandom(7) };

describe("an id", () => {
  test("is a UUID of version 7 that carries its time", () => {
    const clock = createClock(new Date("2026-01-02T03:04:05.678Z"));
    const id = newId({ ...source, now: clock.now });
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const milliseconds = Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16);
    expect(new Date(milliseconds)).toEqual(clock.now());
  });

  test("differs from one made in the same millisecond", () => {
    const ids = Array.from({ length: 1000 }, () => newId(source));
    expect(new Set(ids).size).toBe(1000);
  });

  test("of any UUID version is well formed; anything else is not", () => {
    expect(isUuid("9f2b8a50-1111-4222-8333-444455556666")).toBe(true);
    expect(isUuid(newId(source))).toBe(true);
    for (const text of ["", "1", "9f2b8a50", "../projects", `${newId(source)} `, "{}"]) {
      expect(isUuid(text)).toBe(false);
    }
  });
});

describe("an opaque name", () => {
  test("is a plain Postgres identifier of the asked length, and random", () => {
    const names = Array.from({ length: 500 }, () => opaqueName(source, 20));
    for (const name of names) expect(name).toMatch(/^[a-z][a-z2-7]{19}$/);
    expect(new Set(names).size).toBe(500);
  });
});

describe("a token", () => {
  test("needs no escaping in a URL", () => {
    for (let i = 0; i < 100; i++) {
      const token = randomToken(source, 24);
      expect(token).toMatch(/^[A-Za-z0-9_-]{32}$/);
      expect(encodeURIComponent(token)).toBe(token);
    }
  });
});
