// Which state of D1 this host last heard of. A D1 that was put back from an older day, or that
// began anew, is seen by it: the control plane then repairs nothing by itself.
import { z } from "zod";
import { Mark } from "../src/contract/host.ts";
import { readIfExists, writeAtomically } from "./file.ts";

const File = z.object({ known: Mark.nullable() });

/** Takes marks; what is known is in `file`. */
export function openMark(file: string) {
  let { known } = File.parse(JSON.parse(readIfExists(file) ?? '{"known":null}'));

  /** The mark that was known; the new one takes its place unless it is older or another D1's. */
  return (mark: Mark, adopt: boolean): { readonly known: Mark | null } => {
    const before = known;
    const isNext = before === null || (before.epoch === mark.epoch && before.tick <= mark.tick);
    if (adopt || isNext) {
      known = mark;
      writeAtomically(file, JSON.stringify({ known }));
    }
    return { known: before };
  };
}
