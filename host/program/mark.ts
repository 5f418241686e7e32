// Which state of D1 this host last heard of. A D1 that was put back from an older day, or that
// began anew, is seen by it: the control plane then repairs nothing by itself.
import { z } from "zod";
import { Mark } from "../../src/contract/mark.ts";
import { readIfExists, writeAtomically } from "../base/file.ts";

const File = z.object({ known: Mark.nullable() });

/** Takes marks; what is known is in `file`. */
export function openMark(file: string) {
  let { known } = File.parse(JSON.parse(readIfExists(file) ?? '{"known":null}'));

  /** The mark that was known; the new one takes its place only where that was expected. */
  return (mark: Mark, expected: readonly string[], adopt: boolean): { known: Mark | null } => {
    const before = known;
    if (adopt || before === null || expected.includes(before.state)) {
      known = mark;
      writeAtomically(file, JSON.stringify({ known }));
    }
    return { known: before };
  };
}
