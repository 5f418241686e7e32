import { describe, expect, test } from "vitest";
import { createSealer } from "../../../host/store/seal.ts";

const sealer = createSealer("a secret of a fleet");

describe("what is sealed", () => {
  test("is opened under its name alone, and tells nothing", () => {
    const sealed = sealer.seal("a", "wide open".repeat(100));
    expect(sealer.open("a", sealed).toString()).toBe("wide open".repeat(100));
    expect(sealed.includes("open")).toBe(false);
    expect(() => sealer.open("b", sealed)).toThrow(/damaged, or was sealed with another secret/);
  });

  test("differs each time", () => {
    expect(sealer.seal("a", "same").equals(sealer.seal("a", "same"))).toBe(false);
  });

  test("is refused when any byte of it is another, or it was cut off", () => {
    const sealed = sealer.seal("a", "content");
    for (let at = 0; at < sealed.length; at++) {
      const other = Buffer.from(sealed);
      other[at] = (other[at] ?? 0) ^ 1;
      expect(() => sealer.open("a", other)).toThrow(/damaged/);
      expect(() => sealer.open("a", sealed.subarray(0, at))).toThrow(/damaged/);
    }
  });

  test("is not opened with another secret", () => {
    const other = createSealer("another secret");
    expect(() => other.open("a", sealer.seal("a", "content"))).toThrow(/another secret/);
  });
});
