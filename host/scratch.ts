// The scratch cluster of one recovery: restored from a cut-down view of a base backup, then
// replayed by Postgres to its target, where it stays paused and takes reads only.
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Repository, renderBackrestConfig, stanza } from "./backrest-config.ts";
import { type Reach, runProgram, type Started, startServer } from "./binary.ts";
import { type HostConfig, layout } from "./config.ts";
import { readIfExists } from "./file.ts";
import { cipherPassOf, filterManifest, type ManifestView } from "./manifest-view.ts";
import { planOf } from "./plan.ts";
import { endProcess, findProcess } from "./process.ts";
import { discard } from "./scratch-room.ts";
import { controlUser, type Secrets } from "./secret.ts";
import { createSession, type Session } from "./session.ts";

/** Names the socket, shortly: Linux gives its path 107 bytes. */
export const scratchPort = 1;

/** Where recovery stops; the last commit not after it is the last that is there. */
export type RecoveryTarget =
  | { readonly time: string }
  | { readonly lsn: string }
  | { readonly name: string }
  | { readonly immediate: true };

/** Paths of one scratch cluster. */
export function scratchFiles(directory: string) {
  return {
    directory,
    data: join(directory, "data"),
    view: join(directory, "view"),
    config: join(directory, "pgbackrest.conf"),
    log: join(directory, "postgres.log"),
    /** Of its second start, so that the first keeps saying where recovery stopped. */
    secondLog: join(directory, "postgres-2.log"),
    hba: join(directory, "pg_hba.conf"),
  };
}
export type ScratchFiles = ReturnType<typeof scratchFiles>;

/** One recovery's cluster and what is needed to bring it up. */
export interface Scratch {
  readonly config: HostConfig;
  readonly secrets: Secrets;
  readonly files: ScratchFiles;
  readonly reach: Reach;
}

/** Names what belongs to a scratch cluster; makes nothing. */
export function scratchIn(config: HostConfig, secrets: Secrets, directory: string): Scratch {
  const { repository, passwd } = layout(config.directory);
  const reach = { writable: directory, readable: [repository, passwd] };
  return { config, secrets, files: scratchFiles(directory), reach };
}

/** Runs pgBackRest within a scratch cluster's reach, or another one. */
export function pgbackrest(
  scratch: Scratch,
  options: readonly string[],
  {
    input,
    key,
    reach = scratch.reach,
  }: { readonly input?: string; readonly key?: string; readonly reach?: Reach } = {},
): Promise<string> {
  const { config, files } = scratch;
  const args = [`--config=${files.config}`, `--stanza=${stanza}`, ...options];
  return runProgram(config, "pgbackrest", args, {
    reach,
    isDisposable: true,
    ...(input === undefined ? {} : { input }),
    ...(key === undefined ? {} : { secrets: { PGBACKREST_CIPHER_PASS: key } }),
  });
}

function repositoryFile(scratch: Scratch, path: string): Promise<string> {
  return pgbackrest(scratch, ["repo-get", path]);
}

/** Links everything of a directory but the named entries, which are made otherwise. */
function linkAll(from: string, to: string, except: readonly string[]): void {
  mkdirSync(to, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(from)) {
    if (!except.includes(name)) symlinkSync(join(from, name), join(to, name));
  }
}

const manifest = "backup.manifest";

/**
 * Makes a repository in which one base backup holds one database; all else is links.
 * @throws ManifestRefused when the manifest is not one this knows.
 */
export async function makeView(
  scratch: Scratch,
  label: string,
  oid: number,
): Promise<ManifestView> {
  const { config, files } = scratch;
  const { repository } = layout(config.directory);
  writeBackrestConfig(scratch, 1);
  const [text, info] = await Promise.all([
    repositoryFile(scratch, `backup/${stanza}/${label}/${manifest}`),
    repositoryFile(scratch, `backup/${stanza}/backup.info`),
  ]);
  const view = filterManifest(text, new Set([oid]));
  const labels = join(repository, "backup", stanza);
  linkAll(repository, files.view, ["backup"]);
  linkAll(labels, join(files.view, "backup", stanza), [label]);
  linkAll(join(labels, label), join(files.view, "backup", stanza, label), [
    manifest,
    `${manifest}.copy`,
  ]);
  const key = cipherPassOf(info);
  const path = `backup/${stanza}/${label}/${manifest}`;
  await pgbackrest(scratch, [`--repo1-path=${files.view}`, "repo-put", path], {
    input: view.text,
    ...(key === undefined ? {} : { key }),
  });
  copyFileSync(join(files.view, path), join(files.view, `${path}.copy`));
  return view;
}

/** The live cluster's settings, with every path it writes to inside of the scratch directory. */
export function writeBackrestConfig(
  { config, secrets, files }: Scratch,
  repository: Repository,
): void {
  const text = renderBackrestConfig(config, secrets, repository).replaceAll(
    /^(spool|lock|log)-path=.*$/gm,
    (_, name) => `${name}-path=${join(files.directory, name)}`,
  );
  writeFileSync(files.config, text, { mode: 0o600 });
}

function targetOptions(target: RecoveryTarget): string[] {
  if ("immediate" in target) return ["--type=immediate"];
  const [[type = "", value = ""] = []] = Object.entries(target);
  return [`--type=${type}`, `--target=${value}`];
}

/** Has pgBackRest restore what the view holds, or what `options` say, within a reach. */
export async function restoreFiles(
  scratch: Scratch,
  label: string,
  target: RecoveryTarget,
  options: readonly string[] = [`--repo1-path=${scratch.files.view}`],
  reach: Reach = scratch.reach,
): Promise<void> {
  const { files } = scratch;
  mkdirSync(files.data, { recursive: true, mode: 0o700 });
  const line = [
    ...options,
    `--set=${label}`,
    `--pg1-path=${files.data}`,
    ...targetOptions(target),
    "--target-action=pause",
    "--archive-mode=off",
    `--tablespace-map-all=${join(files.directory, "ts")}`,
    ...(reach === scratch.reach ? ["--job-retry=0"] : []),
    "restore",
  ];
  await pgbackrest(scratch, line, { reach });
}

const settings = (files: ScratchFiles) => `
listen_addresses = ''
port = ${scratchPort}
unix_socket_directories = '${files.directory}'
hba_file = '${files.hba}'
logging_collector = off
log_destination = 'stderr'
log_min_messages = 'log'
shared_buffers = '128MB'
hot_standby = on
archive_mode = off
fsync = off
full_page_writes = off
recovery_init_sync_method = 'syncfs'
autovacuum = off
max_wal_size = '8GB'
max_pred_locks_per_transaction = 10
ssl = off
`;

/** Bytes that are restored by now: whole files, and those that are being written. */
export async function restoredBytes({ files }: Scratch): Promise<number> {
  const entries = await readdir(files.data, { recursive: true, withFileTypes: true });
  const sizes = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) =>
      stat(join(parentPath, name)).then(
        ({ size }) => size,
        // It has got its final name meanwhile.
        () => 0,
      ),
    );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

// A standby has at least what the cluster had, by its base backup or later.
function connectionsMax({ config, files }: Scratch): number {
  const text = readFileSync(join(files.data, "postgresql.conf"), "utf8");
  const before = Number(/^max_connections = (\d+)$/m.exec(text)?.[1] ?? 0);
  return Math.max(before, planOf(config).connectionsMax);
}

/** Starts the scratch cluster; it begins to replay. `more` are settings of Postgres. */
export function startScratch(scratch: Scratch, more = ""): Started {
  const { config, files, reach } = scratch;
  const connections = `max_connections = ${connectionsMax(scratch)}\n`;
  appendFileSync(join(files.data, "postgresql.auto.conf"), settings(files) + connections + more);
  writeFileSync(files.hba, `local all ${controlUser} scram-sha-256\n`, { mode: 0o600 });
  return startServer(config, "postgres", ["-D", files.data], files.log, "true", reach);
}

/** A superuser's session in a scratch cluster. */
export function scratchSession({ secrets, files }: Scratch, database: string): Session {
  return createSession({
    host: files.directory,
    port: scratchPort,
    user: controlUser,
    password: secrets.control_password,
    database,
    application_name: "miosa recovery",
    // It shares the machine with the live cluster, and a promotion takes its time.
    connectionTimeoutMillis: 60_000,
    query_timeout: 120_000,
  });
}

const identityOf = ({ data }: ScratchFiles) => ({ program: "postgres", argument: data });

/** The process of the Postgres that runs in it. */
export function findScratch({ files }: Scratch): number | undefined {
  return findProcess(join(files.data, "postmaster.pid"), identityOf(files));
}

/** True while Postgres runs in it. */
export function isRunning(scratch: Scratch): boolean {
  return findScratch(scratch) !== undefined;
}

/** How far replay is. */
export interface ReplayState {
  readonly isPaused: boolean;
  readonly lsn: string | null;
  /** When the last commit was made that is there; ISO 8601 with microseconds. */
  readonly reachedAt: string | null;
}

interface ReplayRow extends Record<string, unknown> {
  readonly is_paused: boolean;
  readonly lsn: string | null;
  readonly reached_at: string | null;
}

const replay = `
  select pg_get_wal_replay_pause_state() = 'paused' as is_paused,
    pg_last_wal_replay_lsn()::text as lsn,
    to_char(pg_last_xact_replay_timestamp() at time zone 'UTC',
            'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as reached_at`;

/** The line in which Postgres says where recovery stopped. */
export function evidenceIn(log: string): string | undefined {
  return /recovery stopping (?:before|after|at) .*/.exec(log)?.[0];
}

function hasEnded(log: string): boolean {
  return /database system is shut down|aborting startup|startup process .* exited/.test(log);
}

/** What Postgres itself says of why a recovery failed; its words name the segment or the file. */
function failureIn(log: string): string {
  // Those who ask meanwhile whether it is ready are told FATAL, too.
  const isAnswer = /the database system is (starting up|not yet accepting|shutting down)/;
  const lines = log
    .split("\n")
    .filter((line) => /(FATAL|PANIC):/.test(line) && !isAnswer.test(line));
  // Without a word of its own, what the sandbox around it said last.
  const [line = log.trim().split("\n").at(-1) || "Postgres ended without a word"] = lines;
  return line.replace(/^.*?(FATAL|PANIC):\s*/, "");
}

/** Throws once Postgres has ended, with its words or, when it was killed, without. */
function pulseOf({ exited }: Started, logFile: string): () => void {
  let hasExited = false;
  void exited.then(() => {
    hasExited = true;
  });
  return () => {
    const log = readIfExists(logFile) ?? "";
    if (hasExited || hasEnded(log)) throw new Error(`Recovery failed: ${failureIn(log)}`);
  };
}

/**
 * Waits until replay has stopped at the target; `onProgress` is called meanwhile.
 * @throws Error with Postgres' words when it ends instead.
 */
export async function untilTarget(
  scratch: Scratch,
  started: Started,
  session: Session,
  onProgress: (state: ReplayState) => void,
): Promise<ReplayState> {
  const pulse = pulseOf(started, scratch.files.log);
  for (;;) {
    const [row] = await session.query<ReplayRow>(replay).catch(() => []);
    if (row !== undefined) {
      const state = { isPaused: row.is_paused, lsn: row.lsn, reachedAt: row.reached_at };
      onProgress(state);
      if (state.isPaused) return state;
    }
    pulse();
    await delay(25);
  }
}

// Replay holds the locks of transactions that were open at the target, such as the very DROP
// TABLE that is to be undone: whoever reads that table would wait for ever. On a catalog that all
// databases share everybody would, who logs in.
const heldLocks = (oid: number) => `
  select count(*)::int as held from pg_locks
  where database in (0, ${oid}) and relation is not null
    and mode = 'AccessExclusiveLock' and granted`;

async function isInRecovery(session: Session): Promise<boolean> {
  const [row] = await session.query<{ is_there: boolean }>(
    "select pg_is_in_recovery() as is_there",
  );
  return row?.is_there !== false;
}

/** Ends those transactions: the cluster is promoted, and made a standby of nobody again. */
async function endOpenTransactions(scratch: Scratch, session: Session): Promise<void> {
  const { files } = scratch;
  // At its target a resume promotes. pg_promote() would be noticed up to a second later.
  await session.query("select pg_wal_replay_resume()");
  while (await isInRecovery(session)) await delay(10);
  await session.close();
  const pid = findScratch(scratch);
  if (pid !== undefined) await endProcess(pid, identityOf(files), "SIGINT", 60);
  writeFileSync(join(files.data, "standby.signal"), "");
  const nothing = ["restore_command", "recovery_target_time", "recovery_target_name"];
  const lines = [...nothing, "recovery_target"].map((name) => `${name} = ''\n`);
  appendFileSync(join(files.data, "postgresql.auto.conf"), lines.join(""));
  const started = startServer(
    scratch.config,
    "postgres",
    ["-D", files.data],
    files.secondLog,
    "true",
    scratch.reach,
  );
  await untilAnswering(scratch, started, session);
}

async function untilAnswering(scratch: Scratch, started: Started, session: Session): Promise<void> {
  const pulse = pulseOf(started, scratch.files.secondLog);
  for (;;) {
    const isThere = await session.query("select 1").then(
      () => true,
      () => false,
    );
    if (isThere) return;
    pulse();
    await delay(25);
  }
}

/** Makes sure that reads of a database do not wait for what was under way at the target. */
export async function settle(scratch: Scratch, session: Session, oid: number): Promise<void> {
  const [row] = await session.query<{ held: number } & Record<string, unknown>>(heldLocks(oid));
  if (row !== undefined && row.held > 0) await endOpenTransactions(scratch, session);
}

/** Ends recovery where it is, for good: what was recovered takes writes from then on. */
export async function promoteScratch(session: Session): Promise<void> {
  const [row] = await session.query<{ is_done: boolean }>(
    "select pg_promote(true, 110) as is_done",
  );
  if (row?.is_done !== true) throw new Error("The scratch cluster did not end its recovery.");
}

/** Stops the scratch cluster in order, so that its files are whole. */
export async function stopScratch(scratch: Scratch): Promise<void> {
  const pid = findScratch(scratch);
  if (pid === undefined) return;
  if (await endProcess(pid, identityOf(scratch.files), "SIGINT", 120)) return;
  throw new Error("The scratch cluster did not stop in time.");
}

/** Stops the scratch cluster and removes all of it. */
export async function removeScratch(scratch: Scratch): Promise<void> {
  const { files } = scratch;
  const pid = findScratch(scratch);
  if (pid !== undefined && !(await endProcess(pid, identityOf(files), "SIGQUIT", 10))) {
    await endProcess(pid, identityOf(files), "SIGKILL", 10);
  }
  discard(scratch.config, files.directory);
}
