// The living side of a verification: a restore point of the instance that serves, or is started for
// it, and what was in it then.
import type { VerificationCheck } from "../../src/contract/verification.ts";
import { messageOf } from "../base/log.ts";
import type { Awake } from "../dump/awake.ts";
import type { Fleet } from "../instance/fleet.ts";
import type { Keeper } from "../instance/keeper.ts";
import { admitReaders } from "../instance/reader.ts";
import type { InstanceRecord } from "../instance/record.ts";
import { platformSession } from "../instance/session.ts";
import type { Repository } from "../repository/repository.ts";
import type { RecoverySource } from "../repository/source.ts";
import type { Wal } from "../wal/wal.ts";
import { skipped } from "./check.ts";
import type { Manifest } from "./content.ts";
import { markOnly, type Point, readMarked } from "./mark.ts";

/** What a verification works with. */
export interface VerificationParts {
  readonly fleet: Fleet;
  readonly keeper: Pick<Keeper, "roster" | "live">;
  /** Keeps those awake that are worked with. */
  readonly awake: Pick<Awake, "whileRoused">;
  readonly wal: Pick<Wal, "takeNow">;
  readonly repositoryOf: (database: string) => Pick<Repository, "verify">;
  /** What a database is recovered from, the nearest first. */
  readonly sourcesOf: (database: string) => readonly RecoverySource[];
}

/** One database to verify. */
export interface VerificationOrder {
  readonly verificationId: string;
  readonly databaseId: string;
  readonly database: string;
  readonly signal: AbortSignal;
}

/** What its living instance was at the restore point. */
export interface Before {
  /** Null when none could be made: then it is recovered to the end of all WAL. */
  readonly point: Point | null;
  /** Or why it is not known. */
  readonly manifest: Manifest | VerificationCheck;
}

// Its owner lets nobody in, or has ended it meanwhile: nobody's backups are the worse for it.
const isShut = /not currently accepting connections|too many connections|terminating connection/;

function unread(error: unknown, isGone: boolean): VerificationCheck {
  const words = messageOf(error);
  const detail = `The living database could not be read: ${words}`;
  const result = isGone || isShut.test(words) ? "skipped" : "failed";
  return { ...skipped("content", detail), result };
}

/** Gives this moment of the living instance a name, and reads what is in it then. */
async function mark(
  { fleet, keeper }: VerificationParts,
  { database, signal }: VerificationOrder,
  { name }: InstanceRecord,
): Promise<Before> {
  const { place } = keeper.roster.box(name);
  const session = platformSession(fleet, place, database);
  try {
    await admitReaders(session, database);
    try {
      return await readMarked({ fleet, place, database }, session, signal);
    } catch (error) {
      signal.throwIfAborted();
      const isGone = !keeper.roster.has(name) || keeper.roster.get(name).server === undefined;
      // What nobody could compare is no proof, but no reason to leave the rest unproved.
      const manifest = unread(error, isGone);
      return { manifest, point: isGone ? null : await markOnly(session) };
    }
  } finally {
    await session.close();
  }
}

/** The same, of one that may not even run. */
export async function markLiving(
  parts: VerificationParts,
  order: VerificationOrder,
  record: InstanceRecord,
): Promise<Before> {
  try {
    return await parts.awake.whileRoused(order.database, async () => {
      const before = await mark(parts, order, record);
      // While it runs it says which of its segments are over.
      await parts.wal.takeNow(order.database);
      return before;
    });
  } catch (error) {
    order.signal.throwIfAborted();
    const detail = `The living database does not run: ${messageOf(error)}`;
    return { point: null, manifest: skipped("content", detail) };
  }
}
