// What is kept of databases and previews, and the lines that follow from it.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  type DatabaseRecord,
  linesOf,
  openDatabaseFiles,
  type PreviewRecord,
} from "../../../host/database/record.ts";
import { sizeOf, specSha256 } from "../../../host/database/spec.ts";
import { smallSpec } from "../../support/spec.ts";

const verifier = "SCRAM-SHA-256$1:c2FsdHNhbHRzYWx0c2FsdA==$c3RvcmVk:c2VydmVy";
const record = (database: string): DatabaseRecord => ({
  ...{ database, spec: smallSpec(`usr_${database}`, verifier), state: "running" },
  createdAt: "2026-01-01T00:00:00.000Z",
});
const { transaction, session } = smallSpec("usr_a", verifier);
const preview: PreviewRecord = {
  ...{ line: "proj_shown", database: "proj_a", instance: "proj_a.1234" },
  login: { name: "usr_reader", verifier },
  limits: { transaction, session, allowed_addresses: ["10.0.0.0/8"] },
  expiresAt: "2026-01-01T01:00:00.000Z",
};

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "record-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

test("what is kept is found again, and what was removed is not", () => {
  const files = openDatabaseFiles(directory);
  for (const name of ["proj_a", "proj_b"]) files.databases.put(record(name));
  files.databases.put({ ...record("proj_b"), state: "stopped" });
  files.previews.put(preview);
  files.databases.remove("proj_a");
  files.databases.remove("proj_never");
  const again = openDatabaseFiles(directory);
  expect(again.databases.all()).toEqual([{ ...record("proj_b"), state: "stopped" }]);
  expect(again.previews.all()).toEqual([preview]);
  expect(() => again.databases.get("proj_a")).toThrow("There is no database proj_a on this host.");
});

test("one that cannot be read keeps no other from being served, and is left as it is", () => {
  openDatabaseFiles(directory).databases.put(record("proj_a"));
  writeFileSync(join(directory, "database", "proj_torn.json"), '{"database":"proj_to');
  const files = openDatabaseFiles(directory);
  expect(files.databases.all()).toEqual([record("proj_a")]);
  expect(readdirSync(join(directory, "database"))).toContain("proj_torn.json");
});

test("databases and previews have a line each, to where each is led", () => {
  const files = openDatabaseFiles(directory);
  files.databases.put(record("proj_a"));
  files.previews.put(preview);
  const lines = linesOf(files, "session", (line) => `/link/${line}`);
  const limits = { poolSize: 4, clientsMax: 4 };
  expect(lines).toEqual([
    {
      ...{ database: "proj_a", inside: "proj_a", link: "/link/proj_a", limits },
      ...{ users: [{ name: "usr_proj_a", verifier }], allowedNetworks: [] },
    },
    {
      ...{ database: "proj_shown", inside: "proj_a", link: "/link/proj_shown", limits },
      ...{ users: [{ name: "usr_reader", verifier }], allowedNetworks: ["10.0.0.0/8"] },
    },
  ]);
});

test("a size has room for the backends of both poolers", () => {
  const spec = smallSpec("usr_a", verifier);
  expect(sizeOf(spec)).toEqual({
    ...{ memoryBytes: 512 * 1024 ** 2, processors: 1, backendsMax: 8 },
    temporaryBytesMax: 256 * 1024 ** 2,
  });
  const { logins, ...others } = spec;
  expect(specSha256({ ...others, logins })).toBe(specSha256(spec));
  expect(specSha256({ ...spec, is_full: true })).not.toBe(specSha256(spec));
});
