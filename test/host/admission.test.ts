import { describe, expect, test } from "vitest";
import { createAdmission, isIn } from "../../host/admission.ts";

const list = ["203.0.113.0/24", "2001:db8::/32"];
const limits = { pool_size: 16, client_connections_max: 200 };
const admission = createAdmission({
  all: new Map([["proj_a", { allowed_addresses: list, transaction: limits }]]),
  previews: new Map(),
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

  test.each(["postgres", "pgbouncer", "template1", "miosa_template", "pgb_auth"])(
    "never gets to %s",
    (database) => {
      expect(() => admission.admit({ ...caller, database })).toThrow("login rejected");
    },
  );

  test.each(["miosa_control", "pgbouncer"])("is never %s", (user) => {
    expect(() => admission.admit({ ...caller, user })).toThrow("login rejected");
  });
});

test("a database has the backends it was given", () => {
  expect(admission.backendsOf("proj_a")).toBe(16);
  expect(admission.backendsOf("proj_b")).toBe(4);
});
