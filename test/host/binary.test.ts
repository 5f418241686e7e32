import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { withoutContent, withoutSync } from "../../host/binary.ts";

test("what pgBackRest quotes of a file is not told: it may be a key", () => {
  const said = [
    "ERROR: [029]: unable to load info file 'a' or 'b':",
    "       FormatError: invalid JSON value at line 3 'cipher-pass=\"secret': invalid type at: \"s",
    "       FormatError: missing '=' in key/value at line 29: secret\u001f\ufffd",
    "       HINT: is or was the repo encrypted?\u0000",
  ];
  expect(withoutContent(said.join("\n")).split("\n")).toEqual([
    said[0],
    "       FormatError: invalid JSON value at line 3",
    "       FormatError: missing '=' in key/value at line 29",
    "       HINT: is or was the repo encrypted?",
  ]);
});

test("disks are not waited for where the library for that is, and only there", () => {
  const path = mkdtempSync(join(tmpdir(), "binary-"));
  const binaries = { kind: "rootfs", path, bwrap: "/usr/bin/bwrap" } as const;
  expect(withoutSync({ binaries })).toEqual([]);
  const library = "/usr/lib/aarch64-linux-gnu/libeatmydata.so.1";
  mkdirSync(dirname(join(path, library)), { recursive: true });
  writeFileSync(join(path, library), "");
  expect(withoutSync({ binaries })).toEqual(["/usr/bin/env", `LD_PRELOAD=${library}`]);
  rmSync(path, { recursive: true });
});
