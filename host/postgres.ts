// Postgres: made once, configured at every start, started or adopted, stopped.
import { existsSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { runProgram, startServer } from "./binary.ts";
import type { HostConfig } from "./config.ts";
import { layout } from "./config.ts";
import { diskProblem, lastPostgresFatal, lastWords, startFailure } from "./failure.ts";
import { writeIfChanged } from "./file.ts";
import { log, messageOf } from "./log.ts";
import { hbaFile, postgresPort, renderPostgresConfig } from "./postgres-config.ts";
import { endProcess, findProcess, isAlive, readPid } from "./process.ts";
import { controlUser, type Secrets } from "./secret.ts";
import { createSession, type Session } from "./session.ts";
import type { Program } from "./supervise.ts";

const fastStopSeconds = 120;
const immediateStopSeconds = 30;

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

/** Makes the data directory unless it is there. What a crash left half done is made anew. */
export async function initialize(config: HostConfig, secrets: Secrets): Promise<boolean> {
  const { data, run } = layout(config.directory);
  if (existsSync(join(data, "PG_VERSION"))) return false;
  if (existsSync(data) && readdirSync(data).length > 0) {
    throw new Error(`${data} holds files but no Postgres data: move them away and start again.`);
  }
  const part = `${data}.part`;
  const passwordFile = join(run, "initdb-password");
  rmSync(part, { recursive: true, force: true });
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

/** The Postgres of this host, for `supervise`. `control` is used to see whether it answers. */
export function postgresProgram(config: HostConfig, control: Session): Program {
  const { data, log: logDirectory } = layout(config.directory);
  const pidFile = join(data, "postmaster.pid");
  const identity = { program: "postgres", argument: data };
  const output = join(logDirectory, "postgres.out");
  const find = () => findProcess(pidFile, identity);

  // Postgres itself sees to a stale pid file, but not when another program has that pid by now.
  function removeForeignPidFile(): void {
    const pid = readPid(pidFile);
    if (pid !== undefined && isAlive(pid) && find() === undefined) rmSync(pidFile);
  }

  return {
    name: "postgres",
    find,
    async check() {
      await control.query("select 1");
    },
    async start() {
      removeForeignPidFile();
      let ended = false;
      const { exited } = startServer(config, "postgres", ["-D", data], output);
      exited.then(() => {
        ended = true;
      });
      while (!(await answers(control))) {
        if (ended && find() === undefined) {
          const said = lastPostgresFatal(logDirectory) || lastWords(output);
          throw startFailure("postgres", said, logDirectory);
        }
        await delay(30);
      }
    },
    async stop() {
      await control.close();
      const pid = find();
      if (pid === undefined) return;
      if (await endProcess(pid, identity, "SIGINT", fastStopSeconds)) return;
      log("warn", "Postgres did not stop in time: stopping it at once", { fastStopSeconds });
      await endProcess(pid, identity, "SIGQUIT", immediateStopSeconds);
    },
  };
}

// Crash recovery may take minutes: as long as the process lives, the answer is "not yet".
async function answers(control: Session): Promise<boolean> {
  return control.query("select 1").then(
    () => true,
    () => false,
  );
}
