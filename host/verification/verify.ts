// One database of a verification: its living instance gets a restore point at which its content is
// known; a second instance is recovered to that point by what recovers in anger, looked at, and
// thrown away. It has no record, so that the next host program removes what a crash left of it.
import { createHash } from "node:crypto";
import { setPriority } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import type { VerificationCheck, VerifiedDatabase } from "../../src/contract/verification.ts";
import { endNow } from "../base/running.ts";
import { discard } from "../instance/discard.ts";
import { boxOf, type Fleet, fleetMark } from "../instance/fleet.ts";
import type { InstanceRecord } from "../instance/record.ts";
import { findServers, stopServer } from "../instance/server.ts";
import {
  type Recovered,
  type RecoveryOrder,
  type RecoverySource,
  recover,
} from "../recovery/recover.ts";
import { walDirectory } from "../wal/wal.ts";
import {
  check,
  evidenceIn,
  judgeRestore,
  lackOfRoom,
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
const lookMilliseconds = 50;
/** A recovered instance takes what the living one does, and WAL; the host keeps some for others. */
const roomBytes = 2 * 1024 ** 3;

/** The instance a database is recovered to for a verification. */
function throwAwayName({ verificationId, database }: VerificationOrder): string {
  const hash = createHash("sha256").update(`${verificationId} ${database}`).digest("hex");
  return `${database}.${hash.slice(0, 8)}`;
}

/** Looks at what came back, as far as it can be looked at. */
async function lookInto(
  { fleet }: VerificationParts,
  { database, signal }: VerificationOrder,
  { manifest }: Before,
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

/** Recovers; when the verification is ended, its Postgres is ended, and with it the recovery. */
async function recoverUnlessEnded(
  fleet: Fleet,
  source: RecoverySource,
  order: RecoveryOrder,
  signal: AbortSignal,
): Promise<Recovered> {
  const recovering = recover(fleet, source, order);
  const isOver = recovering.then(
    () => true,
    () => true,
  );
  const end = async () => {
    while (!(await Promise.race([isOver, delay(lookMilliseconds, false)]))) {
      const server = findServers(fleetMark(fleet)).get(order.name);
      if (server !== undefined) await endNow(server);
    }
  };
  signal.addEventListener("abort", end, { once: true });
  return recovering.finally(() => signal.removeEventListener("abort", end));
}

/** What came back of a database, and what was found in it. */
interface Seen {
  readonly recovered?: Pick<Recovered, "backup" | "reachedAt">;
  readonly evidence: string | null;
  readonly checks: readonly VerificationCheck[];
}

/** Recovers it to the point, looks at it, and throws it away. */
async function recoverAndLook(
  parts: VerificationParts,
  order: VerificationOrder,
  record: InstanceRecord,
  before: Before,
): Promise<Seen> {
  const { fleet, wal, repositoryOf } = parts;
  const { database, signal } = order;
  const lack = lackOfRoom(fleet.directory, before.bytes + roomBytes);
  if (lack !== null) {
    return { evidence: null, checks: [skipped("restore", lack), ...notTaken(lack)] };
  }
  const repository = repositoryOf(database);
  const name = throwAwayName(order);
  const of = { ...record, size: { ...record.size, processors: leastProcessors } };
  const { point } = before;
  const target = point === null ? { latest: true as const } : pointTarget(point);
  // What checks indexes has to be added to it, and a standby takes nothing.
  const then = "promote";
  let recovered: Recovered | undefined;
  try {
    const restore = await check("restore", fleet.directory, async () => {
      await wal.takeNow(database);
      const source = { repository, wal: walDirectory(repository) };
      const recovery: RecoveryOrder = { of, name, target, then };
      recovered = await recoverUnlessEnded(fleet, source, recovery, signal);
      setPriority(recovered.server.pid, priority);
      return judgeRestore(recovered);
    });
    signal.throwIfAborted();
    if (recovered === undefined) {
      return { evidence: null, checks: [restore, ...notTaken("The database was not restored.")] };
    }
    const evidence = evidenceIn(recovered.box.place.log);
    const checks = [restore, ...(await lookInto(parts, order, before, recovered))];
    return { recovered, evidence, checks };
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
    const { recovered, evidence, checks } = await recoverAndLook(parts, order, record, before);
    signal.throwIfAborted();
    const box = boxOf(fleet, record.name, record.slot, record.size);
    const repository = repositoryOf(database);
    const whole = await check("repository", fleet.directory, () =>
      lookAtRepository(repository, box),
    );
    const newest = async () => (await repository.list(box).catch(() => [])).at(-1)?.label;
    return {
      database_id: databaseId,
      restore_point: point,
      reached_at: recovered?.reachedAt ?? null,
      evidence,
      backup_label: recovered?.backup.label ?? (await newest()) ?? null,
      method: recovered === undefined ? null : "stock",
      repository: recovered === undefined ? null : 1,
      manifest: "tables" in before.manifest ? summaryOf(before.manifest) : null,
      checks: [...checks, whole],
      started_at,
      finished_at: new Date().toISOString(),
    };
  });
}
