// What follows from the spec of a database for its instance.
import { createHash } from "node:crypto";
import { canonicalJson } from "../../src/contract/canonical.ts";
import type { DatabaseSpec } from "../../src/contract/spec.ts";
import type { InstanceSize } from "../instance/size.ts";

/** What its instance may take. */
export function sizeOf(spec: DatabaseSpec): InstanceSize {
  return {
    memoryBytes: spec.memory_bytes,
    processors: spec.processors,
    backendsMax: spec.transaction.pool_size + spec.session.pool_size,
    temporaryBytesMax: spec.temporary_bytes_max,
  };
}

/** SHA-256 of its canonical JSON, hexadecimal: who has the same spec has the same number. */
export function specSha256(spec: DatabaseSpec): string {
  return createHash("sha256").update(canonicalJson(spec)).digest("hex");
}
