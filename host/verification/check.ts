// What is looked at in a database that was restored. A look that cannot be taken is no pass.
import { randomBytes } from "node:crypto";
import type { VerificationCheck } from "../../src/contract/verification.ts";
import { messageOf } from "../base/log.ts";
import { patiently, run } from "../base/spawn.ts";
import { type Box, toolLine } from "../instance/box.ts";
import { inside } from "../instance/place.ts";
import { readerPassword, readerRole } from "../instance/reader.ts";
import { platformSession } from "../instance/session.ts";
import type { RecoveryFacts } from "../recovery/progress.ts";
import type { Repository } from "../repository/repository.ts";
import { differences, type Manifest, type Source } from "./content.ts";

const toldMax = 5;
const detailCharactersMax = 2000;
/** Checking an index runs what its owner has put into it: one of them, and all. */
const indexSeconds = 1200;
const indexesSeconds = 3600;

type Found = Pick<VerificationCheck, "result" | "detail">;

const passed = (detail: string): Found => ({ result: "passed", detail });
const failed = (detail: string): Found => ({ result: "failed", detail });

/** A look that was not taken. */
export function skipped(name: VerificationCheck["name"], detail: string): VerificationCheck {
  return { name, result: "skipped", detail, milliseconds: 0 };
}

/** What a program said, without who ran it. */
const saidIn = (error: unknown) =>
  messageOf(error)
    .replace(/^\/\S+ failed: /, "")
    .trim()
    .replaceAll(/\s+/g, " ");

// No fault of a backup: it is tried again with more room.
const isNoRoom = /The recovery needs \d+ bytes of disk|The disk was full before/;

/** Takes a look, times it, and has an error for its failure. */
export async function check(
  name: VerificationCheck["name"],
  directory: string,
  look: () => Promise<Found>,
): Promise<VerificationCheck> {
  const since = performance.now();
  const { result, detail } = await look().catch((error): Found => {
    const words = saidIn(error);
    return { result: isNoRoom.test(words) ? "skipped" : "failed", detail: words };
  });
  const milliseconds = Math.round(performance.now() - since);
  const words = detail.replaceAll(`${directory}/`, "").replaceAll("/instance/", "");
  return { name, result, detail: words.slice(0, detailCharactersMax), milliseconds };
}

function told(lines: readonly string[]): string {
  const more = lines.length > toldMax ? `; and ${lines.length - toldMax} more` : "";
  return `${lines.slice(0, toldMax).join("; ")}${more}`;
}

/** Says what it was restored from, and to which point; what stands in for the best is no pass. */
export function judgeRestore({
  backup_label: label,
  evidence,
  repository,
  passed_over: vain,
}: RecoveryFacts): Found {
  const how = `${label}: ${evidence ?? "recovery came to its end"}`;
  if (vain.length === 0 && repository === 1) return passed(how);
  const why = vain.map(({ problem }) => problem).join(" ") || "The first repository has none.";
  const name = repository === 1 ? "first" : "second";
  return failed(`${why} It could be restored all the same, from the ${name} repository (${how}).`);
}

/** Lets readers into a database of an instance of our own, whatever its owner has set. */
export async function openToReaders({ fleet, place, database }: Source): Promise<void> {
  const session = platformSession(fleet, place, database);
  try {
    await session.query(`alter database ${database} with allow_connections true`);
    await session.query(`alter database ${database} with connection limit -1`);
    await session.query(`grant connect on database ${database} to ${readerRole}`);
  } finally {
    await session.close();
  }
}

/** Compares rows and hashes of all tables with what they were. */
export async function lookAtContent(
  source: Source,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<Found> {
  const { tables, leftOut } = manifest;
  const lines = await differences(source, manifest, signal);
  if (lines.length > 0) return failed(told(lines));
  const without =
    leftOut.length === 0
      ? ""
      : ` Not compared, as they are written to, too large or not readable: ${told(leftOut)}.`;
  if (tables.length === 0 && leftOut.length > 0) {
    return { result: "skipped", detail: without.trim() };
  }
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  return passed(`${tables.length} tables with ${rows} rows are as they were.${without}`);
}

/** Puts the functions that check indexes where no tenant has anything, for the reader alone. */
async function addChecks({ fleet, place, database }: Source): Promise<void> {
  const schema = `miosa_${randomBytes(8).toString("hex")}`;
  const session = platformSession(fleet, place, database, database);
  try {
    await session.query(`
      create schema ${schema};
      create extension amcheck schema ${schema};
      grant usage on schema ${schema} to ${readerRole};
      grant execute on all functions in schema ${schema} to ${readerRole}`);
  } finally {
    await session.close();
  }
}

/** Checks every table and index of a database in an instance of our own, which takes writes. */
export async function lookAtIndexes(source: Source, box: Box): Promise<Found> {
  const { fleet, database } = source;
  await addChecks(source);
  const at = ["-h", inside.socket, "-U", readerRole];
  const how = ["--heapallindexed", "--parent-check"];
  const secrets = {
    PGPASSWORD: readerPassword(fleet, readerRole, database),
    PGOPTIONS: `-c statement_timeout=${indexSeconds}s -c role=none -c transaction_timeout=0`,
  };
  const line = toolLine(box, "pg_amcheck", [...at, ...how, database], { onlyReads: true });
  const since = performance.now();
  try {
    const said = (await run([...patiently, ...line], secrets, indexesSeconds))
      .trim()
      .replaceAll(/\s+/g, " ");
    if (said !== "") return failed(said);
  } catch (error) {
    const isLate = performance.now() - since > indexesSeconds * 1000;
    if (!isLate) throw error;
    const detail = `pg_amcheck did not come to its end within ${indexesSeconds} s.`;
    return { result: "skipped", detail };
  }
  return passed("pg_amcheck --heapallindexed --parent-check found nothing wrong.");
}

/** Checks every page of an instance that was stopped. */
export async function lookAtChecksums(box: Box): Promise<Found> {
  const words = ["--check", "-D", inside.data];
  const line = toolLine(box, "pg_checksums", words, { onlyReads: true });
  const said = await run([...patiently, ...line]);
  const blocks = /Blocks scanned:\s+(\d+)/.exec(said)?.[1];
  const bad = /Bad checksums:\s+(\d+)/.exec(said)?.[1];
  if (bad !== "0" || blocks === undefined) return failed(said.trim().replaceAll(/\s+/g, " "));
  return passed(`${blocks} pages have the checksum they were written with.`);
}

// pgBackRest names files that are not as they should be while it goes on; in the end it counts.
const wrongFile = /INFO: ((?:invalid|missing) [^\n]*'[^'\n]+'|[^\n]*(?:missing|invalid)[^\n]*)$/gm;

/** Has pgBackRest check every file of a repository. */
export async function lookAtRepository(
  repository: Pick<Repository, "verify">,
  box: Box,
): Promise<Found> {
  const said = await repository.verify(box).catch((error) => {
    throw new Error(`A file of the repository cannot be read at all: ${saidIn(error)}`);
  });
  const wrong = [...said.matchAll(wrongFile)].flatMap(([, words = ""]) => words);
  const [status = "status: unknown"] = /^status: \w+$/m.exec(said) ?? [];
  if (status !== "status: ok") return failed(`${status}. ${told([...new Set(wrong)])}`);
  // The log has said the same before.
  const counted = said.slice(said.lastIndexOf("\nstanza: "));
  const files = [...counted.matchAll(/total valid files: (\d+)/g)].map(([, count]) =>
    Number(count),
  );
  const wal = [...counted.matchAll(/total valid WAL: (\d+)/g)].map(([, count]) => Number(count));
  const sum = (counts: readonly number[]) => counts.reduce((all, count) => all + count, 0);
  const found = `${files.length} backups with ${sum(files)} files and ${sum(wal)} segments of WAL`;
  return passed(`pgbackrest verify found ${found} whole.`);
}
