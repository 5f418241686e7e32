import { expect, test } from "vitest";
import { withoutContent } from "../../host/binary.ts";

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
