// The ladder a database climbs as it fills: its allocation grows in steps up to its ceiling; there
// it warns, and then takes only reads and deletes. Pure, so that every rung can be tested.

const gibibyte = 1024 ** 3;
const growAt = 0.8;
const growBy = 1.5;
// What goes up at one share comes down at a lower one, so that nothing flaps.
const warnAt = 0.8;
const warnUntil = 0.75;
const fullUntil = 0.95;

/** Where a database stands below its ceiling. */
export type StorageState = "normal" | "warning" | "full";

/** What was measured, against what there is. */
export interface StorageFacts {
  readonly usedBytes: number;
  readonly allocatedBytes: number;
  readonly ceilingBytes: number;
  readonly state: StorageState;
}

/** The allocation and the state that follow. */
export function climb({ usedBytes, allocatedBytes, ceilingBytes, state }: StorageFacts) {
  return {
    allocatedBytes: grow(usedBytes, Math.min(allocatedBytes, ceilingBytes), ceilingBytes),
    state: stateAt(usedBytes / ceilingBytes, state),
  };
}

// By half, at least a gibibyte, before it is full.
function grow(usedBytes: number, allocatedBytes: number, ceilingBytes: number): number {
  let allocated = allocatedBytes;
  while (allocated < ceilingBytes && usedBytes >= allocated * growAt) {
    const larger = Math.max(Math.ceil(allocated * growBy), allocated + gibibyte);
    allocated = Math.min(larger, ceilingBytes);
  }
  return allocated;
}

function stateAt(share: number, state: StorageState): StorageState {
  if (share >= (state === "full" ? fullUntil : 1)) return "full";
  return share >= (state === "normal" ? warnAt : warnUntil) ? "warning" : "normal";
}
