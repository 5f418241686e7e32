import { describe, expect, test } from "vitest";
import type { DatabaseRecord, Records } from "../../../host/database/record.ts";
import { createAdmission, isIn } from "../../../host/edge-sql/admission.ts";
import { smallSpec } from "../../support/spec.ts";

const list = ["203.0.113.0/24", "2001:db8::/32"];
const limits = { pool_size: 16, client_connections_max: 200 };
const spec = { ...smallSpec("usr_a", "a verifier"), allowed_addresses: list, transaction: limits };

/** Records of one kind, in memory. */
function recordsOf<Record>(records: ReadonlyMap<string, Record>): Records<Record> {
  const get = (name: string) => {
    const found = records.get(name);
    if (found === undefined) throw new Error(`There is no ${name}.`);
    return found;
  };
  const refuse = () => {
    throw new Error("Nothing is changed here.");
  };
  const has = (name: string) => records.has(name);
  return { get, has, all: () => [...records.values()], put: refuse, remove: refuse };
}

const known = { database: "proj_a", spec, state: "running", createdAt: "2026-01-01T00:00:00.000Z" };
const admission = createAdmission({
  databases: recordsOf(new Map([["proj_a", known as DatabaseRecord]])),
  previews: recordsOf(new Map()),
});
const caller = { user: "usr_a", database: "proj_a", peer: "203.0.113.9" };

describe("an address", () => {
  test.each([
    ["203.0.113.9", true],
    ["::ffff:203.0.113.9", true],
    ["::FFFF:203.0.113.9", true],
    ["203.0.114.1", false],
    ["2001:db8:1::1", true],
    ["2001:db9::1", false],
    ["127.0.0.1", false],
    ["", false],
    [undefined, false],
  ])("%s is in the networks: %s", (address, answer) => {
    expect(isIn(list, address)).toBe(answer);
  });

  test("is in a network whose bits after the prefix are set", () => {
    expect(isIn(["10.1.2.3/8"], "10.200.0.1")).toBe(true);
  });
});

describe("who logs in through this program", () => {
  test("is let in from an allowed address, and anywhere else where none is set", () => {
    admission.admit(caller);
    admission.admit({ ...caller, database: "proj_b", peer: "198.51.100.1" });
  });

  test("is refused from another address, and from an unknown one", () => {
    for (const peer of ["198.51.100.1", undefined]) {
      expect(() => admission.admit({ ...caller, peer })).toThrow(/does not allow this address/);
    }
  });

  test.each(["postgres", "pgbouncer", "template1", "miosa_template"])(
    "never gets to %s",
    (database) => {
      expect(() => admission.admit({ ...caller, database })).toThrow("login rejected");
    },
  );
});

test("a database has the backends it was given", () => {
  expect(admission.backendsOf("proj_a")).toBe(16);
  expect(admission.backendsOf("proj_b")).toBe(4);
});
