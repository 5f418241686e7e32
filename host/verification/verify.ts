// One database of a verification: its living instance gets a restore point at which its content is
// known; a second instance is recovered to that point by what recovers in anger, looked at, and
// thrown away. It has no record, so that the next host program removes what a crash left of it.
import { createHash } from "node:crypto";
import { setPriority } from "node:os";
import type { VerificationCheck, VerifiedDatabase } from "../../src/contract/verification.ts";
import { endNow } from "../base/running.ts";
import { discard } from "../instance/discard.ts";
import { boxOf } from "../instance/fleet.ts";
import type { InstanceRecord } from "../instance/record.ts";
import { stopServer } from "../instance/server.ts";
import { createProgress, type RecoveryFacts } from "../recovery/progress.ts";
import { type Recovered, recover } from "../recovery/recover.ts";
import type { RecoveryTarget } from "../recovery/target.ts";
import {
  check,
  judgeRestore,
  lookAtChecksums,
  lookAtContent,
  lookAtIndexes,
  lookAtRepository,
  openToReaders,
  skipped,
} from "./check.ts";
import { summaryOf } from "./content.ts";
import {
  type Before,
  markLiving,
  type VerificationOrder,
  type VerificationParts,
} from "./living.ts";
import type { Point } from "./mark.ts";

/** Those that serve come first, in the groups of the kernel and among its processes. */
const leastProcessors = 0.01;
const priority = 15;

/** The instance a database is recovered to for a verification. */
function throwAwayName({ verificationId, database }: VerificationOrder): string {
  const hash = createHash("sha256").update(`${verificationId} ${database}`).digest("hex");
  return `${database}.${hash.slice(0, 8)}`;
}

/** Looks at what came back, as far as it can be looked at. */
async function lookInto(
  { fleet }: VerificationParts,
  { database, signal }: VerificationOrder,
  manifest: Before["manifest"],
  { box, server }: Recovered,
): Promise<VerificationCheck[]> {
  const { directory } = fleet;
  const source = { fleet, place: box.place, database };
  const content =
    "tables" in manifest
      ? await check("content", directory, async () => {
          await openToReaders(source);
          return lookAtContent(source, manifest, signal);
        })
      : manifest;
  signal.throwIfAborted();
  const indexes = await check("indexes", directory, async () => {
    await openToReaders(source);
    return lookAtIndexes(source, box);
  });
  signal.throwIfAborted();
  const checksums = await check("checksums", directory, async () => {
    await stopServer(server);
    return lookAtChecksums(box);
  });
  return [content, indexes, checksums];
}

const notTaken = (why: string) =>
  (["content", "indexes", "checksums"] as const).map((name) => skipped(name, why));

/** What came back of a database, and what was found in it. */
interface Seen {
  readonly facts: RecoveryFacts;
  readonly checks: readonly VerificationCheck[];
}

/** Recovers it to the point, looks at it, and throws it away. */
async function recoverAndLook(
  parts: VerificationParts,
  order: VerificationOrder,
  record: InstanceRecord,
  { point, manifest }: Before,
): Promise<Seen> {
  const { fleet, wal, sourcesOf } = parts;
  const { database, signal } = order;
  const name = throwAwayName(order);
  const of = { ...record, size: { ...record.size, processors: leastProcessors } };
  const target: RecoveryTarget = point === null ? { latest: true } : pointTarget(point);
  const progress = createProgress(signal);
  let recovered: Recovered | undefined;
  try {
    const restore = await check("restore", fleet.directory, async () => {
      await wal.takeNow(database);
      // A copy at hand of what is in a repository proves nothing about that.
      const sources = sourcesOf(database).map(({ laidOuts: _, ...source }) => source);
      recovered = await recover(fleet, sources, { of, name, target, isThrowAway: true }, progress);
      setPriority(recovered.server.pid, priority);
      return judgeRestore(progress.facts());
    });
    signal.throwIfAborted();
    const rest =
      recovered === undefined
        ? notTaken("The database was not restored.")
        : await lookInto(parts, order, manifest, recovered);
    return { facts: progress.facts(), checks: [restore, ...rest] };
  } finally {
    if (recovered !== undefined) {
      await endNow(recovered.server);
      await discard(fleet, name);
    }
  }
}

const pointTarget = ({ name, lsn }: Point) => ({ name, lsn });

/** What it says of a database for which no restore point could be made. */
const noPoint = (): Point => ({ name: "end of WAL", lsn: "0/0", at: new Date().toISOString() });

function livingOf({ live }: VerificationParts["keeper"], database: string) {
  try {
    return live(database).record;
  } catch {
    return undefined;
  }
}

/**
 * Verifies one database; undefined when there is none of the name any more.
 * @throws Error when it is ended
 */
export async function verifyDatabase(
  parts: VerificationParts,
  order: VerificationOrder,
): Promise<VerifiedDatabase | undefined> {
  const { keeper, fleet, repositoryOf } = parts;
  const { database, databaseId, signal } = order;
  const record = livingOf(keeper, database);
  if (record === undefined) return undefined;
  const started_at = new Date().toISOString();
  // Nobody else becomes its user while something of it is here.
  return keeper.roster.keepSlot(record.slot, async () => {
    const before = await markLiving(parts, order, record);
    const point = before.point ?? noPoint();
    const { facts, checks } = await recoverAndLook(parts, order, record, before);
    signal.throwIfAborted();
    const box = boxOf(fleet, record.name, record.slot, record.size);
    const whole = await check("repository", fleet.directory, () =>
      lookAtRepository(repositoryOf(database), box),
    );
    return {
      database_id: databaseId,
      restore_point: point,
      reached_at: facts.reached_at,
      evidence: facts.evidence,
      backup_label: facts.backup_label,
      method: facts.backup_label === null ? null : "stock",
      repository: facts.repository,
      manifest: "tables" in before.manifest ? summaryOf(before.manifest) : null,
      checks: [...checks, whole],
      started_at,
      finished_at: new Date().toISOString(),
    };
  });
}
