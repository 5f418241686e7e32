// What is looked at in a database that was restored. A look that cannot be taken is no pass.
import type { VerificationCheck } from "../src/contract/verification.ts";
import type { Backup } from "./backup.ts";
import { runProgram, streamProgram } from "./binary.ts";
import { differences, type Manifest } from "./content.ts";
import type { ScratchTenant } from "./dump.ts";
import { messageOf } from "./log.ts";
import {
  promoteScratch,
  type Scratch,
  scratchPort,
  scratchSession,
  stopScratch,
} from "./scratch.ts";
import { controlUser } from "./secret.ts";

const toldMax = 5;
const detailCharactersMax = 2000;
const outputCharactersMax = 64 * 1024;
// Checking an index runs what its owner has put into it.
const indexSeconds = 1800;

type Found = Pick<VerificationCheck, "result" | "detail">;

const passed = (detail: string): Found => ({ result: "passed", detail });
const failed = (detail: string): Found => ({ result: "failed", detail });

/** A look that was not taken. */
export function skipped(name: VerificationCheck["name"], detail: string): VerificationCheck {
  return { name, result: "skipped", detail, milliseconds: 0 };
}

/** Takes a look, times it, and has an error for its failure. */
export async function check(
  name: VerificationCheck["name"],
  directory: string,
  look: () => Promise<Found>,
): Promise<VerificationCheck> {
  const since = performance.now();
  const { result, detail } = await look().catch((error) => failed(messageOf(error)));
  const milliseconds = Math.round(performance.now() - since);
  const words = detail.replaceAll(`${directory}/`, "").slice(0, detailCharactersMax);
  return { name, result, detail: words, milliseconds };
}

function told(lines: readonly string[]): string {
  const more = lines.length > toldMax ? `; and ${lines.length - toldMax} more` : "";
  return `${lines.slice(0, toldMax).join("; ")}${more}`;
}

/** Compares rows and hashes of all tables with what they were. */
export async function lookAtContent(
  { files }: Scratch,
  { database, login }: ScratchTenant,
  manifest: Manifest,
): Promise<Found> {
  const { tables, leftOut } = manifest;
  const lines = await differences(
    { host: files.directory, port: scratchPort, user: login, database },
    manifest,
  );
  if (lines.length > 0) return failed(told(lines));
  const without =
    leftOut.length === 0
      ? ""
      : ` Not compared, as they are written to, too large or not its own: ${told(leftOut)}.`;
  if (tables.length === 0 && leftOut.length > 0) {
    return { result: "skipped", detail: without.trim() };
  }
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  return passed(`${tables.length} tables with ${rows} rows are as they were.${without}`);
}

/** Makes it a cluster of its own and checks every table and index of the database. */
export async function lookAtIndexes(scratch: Scratch, { database }: ScratchTenant): Promise<Found> {
  const session = scratchSession(scratch, "postgres");
  try {
    await promoteScratch(session);
    // One that is stopped lets nobody in.
    await session.query(`alter database "${database}" with allow_connections true`);
  } finally {
    await session.close();
  }
  const at = ["-h", scratch.files.directory, "-p", String(scratchPort), "-U", controlUser];
  const how = ["--install-missing", "--heapallindexed", "--parent-check"];
  const { output, ended } = streamProgram(scratch.config, "pg_amcheck", [...at, ...how, database], {
    reach: scratch.reach,
    secrets: {
      PGPASSWORD: scratch.secrets.control_password,
      PGOPTIONS: `-c statement_timeout=${indexSeconds}s`,
    },
  });
  let said = "";
  for await (const chunk of output) said = (said + chunk).slice(0, outputCharactersMax);
  // What is wrong is in what it says; it then ends with an error as well.
  if (said.trim() !== "") return failed(said.trim().replaceAll(/\s+/g, " "));
  await ended;
  return passed("pg_amcheck --heapallindexed --parent-check found nothing wrong.");
}

/** Stops the scratch cluster and checks every page of it. */
export async function lookAtChecksums(scratch: Scratch): Promise<Found> {
  await stopScratch(scratch);
  const line = ["--check", "-D", scratch.files.data];
  const said = await runProgram(scratch.config, "pg_checksums", line, { reach: scratch.reach });
  const blocks = /Blocks scanned:\s+(\d+)/.exec(said)?.[1];
  const bad = /Bad checksums:\s+(\d+)/.exec(said)?.[1];
  if (bad !== "0" || blocks === undefined) return failed(said.trim().replaceAll(/\s+/g, " "));
  return passed(`${blocks} pages have the checksum they were written with.`);
}

// pgBackRest names files that are not as they should be while it goes on; in the end it counts.
const wrongFile = /INFO: ((?:invalid|missing) [^\n]*'[^'\n]+'|[^\n]*(?:missing|invalid)[^\n]*)$/gm;

/** Has pgBackRest check every file of the first repository. */
export async function lookAtRepository({ backrest }: Backup): Promise<Found> {
  // One process: what is live needs the machine more.
  const how = ["--output=text", "--verbose", "--log-level-console=info", "--process-max=1"];
  const said = await backrest("verify", how).catch((error) => {
    throw new Error(`A file of the repository cannot be read at all: ${messageOf(error)}`);
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
