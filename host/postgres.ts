// Postgres: made once, configured at every start, started or adopted, stopped.
import { existsSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { runProgram, startServer } from "./binary.ts";
import { type HostConfig, layout, postgresPort } from "./config.ts";
import {
  diskProblem,
  lastBackendDeath,
  lastPostgresFatal,
  lastWords,
  startFailure,
} from "./failure.ts";
import { readIfExists, writeIfChanged } from "./file.ts";
import { log, messageOf } from "./log.ts";
import { limitMemory } from "./memory.ts";
import { hbaFile, renderPostgresConfig } from "./postgres-config.ts";
import { childrenOf, endProcess, findProcess, isAlive, isEnding, readPid } from "./process.ts";
import { controlUser, type Secrets } from "./secret.ts";
import { probeServer } from "./server-probe.ts";
import { createSession, type Session } from "./session.ts";
import type { Program } from "./supervise.ts";

const recoverySeconds = 30;
const fastStopSeconds = 120;
const immediateStopSeconds = 30;
// Of one that lets nobody in: nobody gains by waiting for its checkpoint.
const endSeconds = 3;
const probeMilliseconds = 1000;
/** How long backends of a killed server may take to notice and end. */
const orphanSeconds = 15;

/** A session of the superuser; a query has time for CREATE DATABASE on a slow disk. */
export function controlSession(config: HostConfig, secrets: Secrets, database: string): Session {
  return createSession({
    host: layout(config.directory).run,
    port: postgresPort,
    user: controlUser,
    password: secrets.control_password,
    database,
    application_name: "miosa host",
    query_timeout: 30_000,
  });
}

function removeParts(directory: string): void {
  for (const name of readdirSync(directory)) {
    if (name.startsWith("data.part-"))
      rmSync(join(directory, name), { recursive: true, maxRetries: 5 });
  }
}

/** Makes the data directory unless it is there. What a crash left half done is made anew. */
export async function initialize(config: HostConfig, secrets: Secrets): Promise<boolean> {
  const { data, run } = layout(config.directory);
  if (existsSync(join(data, "PG_VERSION"))) return false;
  if (existsSync(data) && readdirSync(data).length > 0) {
    throw new Error(`${data} holds files but no Postgres data: move them away and start again.`);
  }
  // A name of its own: the initdb of a host program that was killed may still be writing.
  const part = `${data}.part-${process.pid}`;
  const passwordFile = join(run, "initdb-password");
  removeParts(config.directory);
  writeFileSync(passwordFile, secrets.control_password, { mode: 0o600 });
  try {
    const identity = ["-U", controlUser, `--pwfile=${passwordFile}`, "--auth=scram-sha-256"];
    // The builtin provider sorts the same on every system and after every upgrade of it.
    const locale = ["-E", "UTF8", "--locale=C.UTF-8", "--locale-provider=builtin"];
    const rest = ["--builtin-locale=C.UTF-8", "--data-checksums", "--no-instructions"];
    // Rounds protect weak passwords; ours has 256 random bits, and each round costs each client.
    const login = ["--set", "scram_iterations=1"];
    await runProgram(config, "initdb", ["-D", part, ...identity, ...locale, ...rest, ...login]);
  } catch (error) {
    throw new Error(`${messageOf(error)} ${diskProblem(config.directory) ?? ""}`.trim());
  } finally {
    rmSync(passwordFile, { force: true });
  }
  renameSync(part, data);
  return true;
}

/** Writes Postgres' files; true when a running server has to read them again. */
export function configurePostgres(config: HostConfig): boolean {
  const { data } = layout(config.directory);
  const settings = writeIfChanged(join(data, "postgresql.conf"), renderPostgresConfig(config));
  return writeIfChanged(join(data, "pg_hba.conf"), hbaFile) || settings;
}

/**
 * Notices that Postgres ended all sessions and began anew, as it does when a backend was killed:
 * the postmaster lives on, and its checkpointer is another one.
 */
function createResetLook(find: () => number | undefined, logDirectory: string) {
  let known: { readonly postmaster: number; readonly checkpointer: number } | undefined;
  const isCheckpointer = (pid: number) =>
    readIfExists(`/proc/${pid}/cmdline`)?.startsWith("postgres: checkpointer") === true;
  return (): string | null => {
    const postmaster = find();
    if (postmaster === undefined) return null;
    const isSame = known?.postmaster === postmaster;
    if (isSame && known !== undefined && isCheckpointer(known.checkpointer)) return null;
    const checkpointer = childrenOf(postmaster).find(isCheckpointer);
    if (checkpointer === undefined) return null;
    known = { postmaster, checkpointer };
    const reason = lastBackendDeath(logDirectory);
    return isSame ? `All sessions ended, as a backend did: ${reason}` : null;
  };
}

/** Postgres' words while processes of the one before have not ended. */
const isFormerThere = /pre-existing shared memory block|lock file .* already exists/;

/** Makes the start of Postgres; it resolves to why it did not come up, or to nothing. */
function createAttempt(config: HostConfig, control: Session, find: () => number | undefined) {
  const { data, log: logDirectory } = layout(config.directory);
  const pidFile = join(data, "postmaster.pid");
  const output = join(logDirectory, "postgres.out");

  // Postgres itself sees to a stale pid file, but not when another program has that pid by now. One
  // that was killed and is not gone yet is no other program: its pid file is what protects the data.
  function removeForeignPidFile(): void {
    const pid = readPid(pidFile);
    if (pid === undefined || find() !== undefined) return;
    if (isAlive(pid) && !isEnding(pid)) rmSync(pidFile);
  }

  async function attempt(): Promise<Error | undefined> {
    removeForeignPidFile();
    let ended = false;
    const { exited } = startServer(config, "postgres", ["-D", data], output, limitMemory);
    exited.then(() => {
      ended = true;
    });
    // Crash recovery may take minutes: as long as the process lives, the answer is "not yet".
    while (!(await answers(control))) {
      if (ended && find() === undefined) {
        const said = lastPostgresFatal(logDirectory) || lastWords(output);
        return startFailure("postgres", said, logDirectory);
      }
      await delay(30);
    }
    return undefined;
  }

  return attempt;
}

/** The Postgres of this host, for `supervise`. `control` is used to see whether it answers. */
export function postgresProgram(config: HostConfig, control: Session): Program {
  const { data, run, log: logDirectory } = layout(config.directory);
  const door = {
    at: { path: join(run, `.s.PGSQL.${postgresPort}`) },
    login: { user: controlUser, database: "postgres" },
  };
  const pidFile = join(data, "postmaster.pid");
  const identity = { program: "postgres", argument: data };
  const find = () => findProcess(pidFile, identity);

  const attempt = createAttempt(config, control, find);

  // Told to stop while it recovers from a crash, Postgres 17 can wait for its checkpointer for
  // ever.
  async function untilStarted(): Promise<void> {
    const deadline = performance.now() + recoverySeconds * 1000;
    while ((await probeServer(door, probeMilliseconds)) === "starting") {
      if (performance.now() > deadline) return;
      await delay(50);
    }
  }

  return {
    name: "postgres",
    find,
    async check() {
      await control.query("select 1");
    },
    probe: () => probeServer(door, probeMilliseconds),
    findReset: createResetLook(find, logDirectory),
    async start() {
      const deadline = performance.now() + orphanSeconds * 1000;
      for (;;) {
        const failure = await attempt();
        if (failure === undefined) return;
        if (!isFormerThere.test(failure.message) || performance.now() > deadline) throw failure;
        await delay(100);
      }
    },
    async stop() {
      await control.close();
      const pid = find();
      if (pid === undefined) return;
      await untilStarted();
      if (await endProcess(pid, identity, "SIGINT", fastStopSeconds)) return;
      log("warn", "Postgres did not stop in time: stopping it at once", { fastStopSeconds });
      await endProcess(pid, identity, "SIGQUIT", immediateStopSeconds);
    },
    async end() {
      const pid = find();
      if (pid === undefined) return;
      for (const signal of ["SIGINT", "SIGQUIT", "SIGKILL"] as const) {
        if (await endProcess(pid, identity, signal, endSeconds)) return;
      }
    },
  };
}

async function answers(control: Session): Promise<boolean> {
  return control.query("select 1").then(
    () => true,
    () => false,
  );
}
