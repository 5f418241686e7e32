// Proof that backups can be restored: databases are recovered by what recovers them in anger, to a
// restore point at which their content is known, and what came back is looked at.
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { RecoveryReport } from "../src/contract/recovery.ts";
import type {
  VerificationCheck,
  VerificationReport,
  VerificationTarget,
  VerifiedDatabase,
} from "../src/contract/verification.ts";
import { verificationPrefix } from "./abandoned.ts";
import type { Backup } from "./backup.ts";
import { type HostConfig, layout, postgresPort } from "./config.ts";
import { type Manifest, readContent, summaryOf } from "./content.ts";
import { admitTenant } from "./dump.ts";
import { log, messageOf } from "./log.ts";
import { HostProblem } from "./problem.ts";
import type { Recoveries } from "./recovery.ts";
import { createTurns, type Turns } from "./turn.ts";
import {
  check,
  lookAtChecksums,
  lookAtContent,
  lookAtIndexes,
  lookAtRepository,
  skipped,
} from "./verification-check.ts";

const lookMilliseconds = 200;
const keptMax = 20;

type Versions = NonNullable<VerificationReport["versions"]>;

/** Verifications of one cluster. */
export interface Verifications {
  /** Begins one; with an id that is known, nothing. */
  start(id: string, targets: readonly VerificationTarget[]): void;
  /** What it has come to. @throws HostProblem 404 also when the host was restarted meanwhile. */
  statusOf(id: string): VerificationReport;
  /** Ends it, whatever it does, and removes all of it. */
  end(id: string): Promise<void>;
}

/** What a verification works with. */
export interface VerificationTools {
  readonly config: HostConfig;
  readonly backup: Backup;
  readonly recoveries: Recoveries;
  readonly versions: () => Promise<Versions>;
}

interface Entry {
  report: VerificationReport;
  isEnding: boolean;
  /** The recovery it looks at just now. */
  recoveryId: string | undefined;
}

/** A database with a restore point, and its content at it, or why that is not known. */
interface Marked {
  readonly target: VerificationTarget;
  readonly point: VerifiedDatabase["restore_point"];
  readonly manifest: Manifest | VerificationCheck;
}

const fresh = (): VerificationReport => ({
  state: "running",
  done: 0,
  error: null,
  versions: null,
  databases: [],
});

/** Gives this moment a name, and reads what is in the database at it. */
async function mark(
  { config, backup }: VerificationTools,
  target: VerificationTarget,
): Promise<Marked> {
  const name = `${verificationPrefix}${randomUUID().replaceAll("-", "")}`;
  const point = async () => ({ name, ...(await backup.archive.restorePoint(name)) });
  if (target.login === null) {
    const reason = "The database is stopped: nobody can look into it.";
    return { target, point: await point(), manifest: skipped("content", reason) };
  }
  const where = { host: layout(config.directory).run, port: postgresPort };
  try {
    return { target, ...(await readContent({ ...where, ...target.login }, point)) };
  } catch (error) {
    // What nobody could compare is no proof, but no reason to leave the rest unproved.
    const detail = `The live database could not be read: ${messageOf(error)}`;
    const manifest = { ...skipped("content", detail), result: "failed" as const };
    return { target, point: await point(), manifest };
  }
}

const isOver = ({ state }: Pick<RecoveryReport, "state">) =>
  state === "ready" || state === "failed";

async function recovered(
  { recoveries }: VerificationTools,
  recoveryId: string,
  { target, point }: Marked,
) {
  const { name, at } = point;
  const request = { database_oid: target.database_oid, target: { name, at } };
  recoveries.start(recoveryId, request);
  while (!isOver(recoveries.statusOf(recoveryId))) await delay(lookMilliseconds);
  return recoveries.statusOf(recoveryId);
}

function judge({ state, error, evidence, passed_over: passed, ...recovery }: RecoveryReport) {
  if (state === "failed") return { result: "failed", detail: error ?? "It failed." } as const;
  const how = `${recovery.backup_label}, ${recovery.method}: ${evidence}`;
  const isBest = passed.length === 0 && recovery.repository === 1;
  if (isBest) return { result: "passed", detail: how } as const;
  // What stands in shows that the better one has failed.
  const why = passed.map(({ problem }) => problem).join(" ") || "The first repository has none.";
  const name = recovery.repository === 1 ? "first" : "second";
  const detail = `${why} It could be restored all the same, from the ${name} repository (${how}).`;
  return { result: "failed", detail } as const;
}

/** Recovers one database and looks at it, as far as it came back. */
async function lookAt(
  tools: VerificationTools,
  entry: Entry,
  marked: Marked,
): Promise<VerifiedDatabase> {
  const { recoveries, config } = tools;
  const started_at = new Date().toISOString();
  const recoveryId = randomUUID();
  entry.recoveryId = recoveryId;
  let status: RecoveryReport | undefined;
  try {
    const restore = await check("restore", config.directory, async () => {
      status = await recovered(tools, recoveryId, marked);
      return judge(status);
    });
    const isThere = status?.state === "ready";
    const rest = isThere ? await lookInto(tools, recoveryId, marked) : notRestored;
    return {
      database_id: marked.target.database_id,
      restore_point: marked.point,
      reached_at: status?.reached_at ?? null,
      evidence: status?.evidence ?? null,
      backup_label: status?.backup_label ?? null,
      method: status?.method ?? null,
      repository: status?.repository ?? null,
      manifest: "tables" in marked.manifest ? summaryOf(marked.manifest) : null,
      checks: [restore, ...rest],
      started_at,
      finished_at: new Date().toISOString(),
    };
  } finally {
    await recoveries.end(recoveryId);
    entry.recoveryId = undefined;
  }
}

const notRestored = (["content", "indexes", "checksums"] as const).map((name) =>
  skipped(name, "The database was not restored."),
);

async function lookInto(
  { config, recoveries }: VerificationTools,
  recoveryId: string,
  { target, manifest }: Marked,
): Promise<VerificationCheck[]> {
  const scratch = recoveries.scratchOf(recoveryId);
  const tenant = await admitTenant(scratch, target.database_oid);
  const { directory } = config;
  const content =
    "tables" in manifest
      ? await check("content", directory, () => lookAtContent(scratch, tenant, manifest))
      : manifest;
  const indexes = await check("indexes", directory, () => lookAtIndexes(scratch, tenant));
  const checksums = await check("checksums", directory, () => lookAtChecksums(scratch));
  return [content, indexes, checksums];
}

async function verify(
  tools: VerificationTools,
  entry: Entry,
  targets: readonly VerificationTarget[],
): Promise<void> {
  const { backup, config } = tools;
  const goOn = () => {
    if (entry.isEnding) throw new Error("It was ended.");
  };
  const versions = await tools.versions();
  const marked: Marked[] = [];
  for (const target of targets) {
    goOn();
    marked.push(await mark(tools, target));
  }
  // What comes after the last restore point is archived as well: recovery can stop there.
  await backup.archive.heartbeat();
  const repository = await check("repository", config.directory, () => lookAtRepository(backup));
  const databases: VerifiedDatabase[] = [];
  for (const each of marked) {
    goOn();
    const database = await lookAt(tools, entry, each);
    databases.push({ ...database, checks: [...database.checks, repository] });
    entry.report = { ...entry.report, done: databases.length };
  }
  goOn();
  entry.report = { ...entry.report, state: "succeeded", versions, databases };
}

async function run(
  tools: VerificationTools,
  inTurn: Turns,
  entry: Entry,
  targets: readonly VerificationTarget[],
): Promise<void> {
  const letGo = tools.backup.base.hold();
  try {
    await inTurn(() => verify(tools, entry, targets));
  } catch (error) {
    if (!entry.isEnding) log("error", `A verification failed: ${messageOf(error)}`);
    entry.report = { ...entry.report, state: "failed", error: messageOf(error) };
  } finally {
    letGo();
  }
}

/** Binds verifications to a cluster; one works at a time, and one recovery of it. */
export function createVerifications(tools: VerificationTools): Verifications {
  const entries = new Map<string, Entry>();
  const inTurn = createTurns(1);
  return {
    start(id, targets) {
      if (entries.has(id)) return;
      const entry: Entry = { report: fresh(), isEnding: false, recoveryId: undefined };
      entries.set(id, entry);
      for (const [known, { report }] of [...entries].slice(0, -keptMax)) {
        if (report.state !== "running") entries.delete(known);
      }
      void run(tools, inTurn, entry, targets);
    },
    statusOf(id) {
      const entry = entries.get(id);
      if (entry !== undefined) return entry.report;
      throw new HostProblem(404, "unknown_verification", `There is no verification ${id} here.`);
    },
    async end(id) {
      const entry = entries.get(id);
      if (entry === undefined) return;
      entry.isEnding = true;
      entries.delete(id);
      if (entry.recoveryId !== undefined) await tools.recoveries.end(entry.recoveryId);
    },
  };
}
