// Ends the growth of a database that is far beyond its limit, before it takes the disk from others.
// The control plane says when one is full; this is for who grows faster than that is said, and for
// who found a way to grow all the same.
import type { DatabaseSpec } from "../../src/contract/spec.ts";
import { log, messageOf } from "../base/log.ts";
import type { DatabaseMeans } from "./means.ts";
import type { Measured } from "./measure.ts";
import { haltDatabase } from "./run.ts";
import { settleAccess } from "./settle.ts";

// WAL that is not needed any more goes by itself, and what was open ends in its time.
const usualMarginBytes = 256 * 1024 ** 2;

/** Makes what acts on measures: first such a database is full, then it is stopped. */
export function createGuard(
  means: DatabaseMeans,
  marginBytes = usualMarginBytes,
): (database: string, now: Measured) => void {
  const { files, keeper, lane } = means;
  /** What a database may take before the host program acts by itself. */
  const hardBytes = ({ storage_bytes_max: max }: DatabaseSpec) =>
    max + Math.max(max / 4, marginBytes);

  /** What each took when it was first measured as a full one; null before. */
  const held = new Map<string, number | null>();

  async function hold(database: string): Promise<void> {
    const { inForce, ...record } = files.databases.get(database);
    files.databases.put(record);
    const { name } = keeper.live(database).record;
    const access = { logins: record.spec.logins, isFull: true };
    await keeper.visit(name, () => settleAccess(means, database, access));
    log("warn", `${database} is far beyond its limit, and reads and deletes only.`);
  }

  async function act(database: string, bytes: number): Promise<void> {
    if (!files.databases.has(database)) return;
    const { spec, stage, halted } = files.databases.get(database);
    if (stage !== undefined || halted !== undefined) return;
    if (bytes <= hardBytes(spec)) return void held.delete(database);
    const before = held.get(database);
    if (before === undefined) {
      if (!spec.is_full) await hold(database);
      held.set(database, null);
    } else if (before === null) held.set(database, bytes);
    else if (bytes > before + marginBytes) {
      held.delete(database);
      await haltDatabase(means, database, "It grew on while it was full, and was stopped.");
      log("error", `${database} grew on while it was full, and was stopped.`);
    }
  }

  return (database, { dataBytes, walBytes }) => {
    void lane(database, () => act(database, dataBytes + walBytes)).catch((error) => {
      log("error", `The growth of ${database} is not ended: ${messageOf(error)}`);
    });
  };
}
