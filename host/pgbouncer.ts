// One PgBouncer: its files, start, adoption, stop. There are two, one per pool mode.
import { rmSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { runProgram, startServer } from "./binary.ts";
import { type HostConfig, layout } from "./config.ts";
import { lastWords, startFailure } from "./failure.ts";
import { makePrivateDirectories, readIfExists, writeIfChanged } from "./file.ts";
import { log } from "./log.ts";
import {
  localAddress,
  needsRestart,
  type PoolMode,
  poolerFiles,
  poolerPort,
  renderPoolerConfig,
} from "./pgbouncer-config.ts";
import { endProcess, findProcess } from "./process.ts";
import { controlUser, type Secrets } from "./secret.ts";
import { probeServer } from "./server-probe.ts";
import { createSession, type Session } from "./session.ts";
import type { Program } from "./supervise.ts";
import { findVersion, isAtLeast, pgbouncerMinimum } from "./version.ts";

const stopSeconds = 10;
const probeMilliseconds = 1000;

/** A session with the console of one pooler, whose every answer comes in time or is an error. */
export function consoleSession(
  config: HostConfig,
  secrets: Secrets,
  mode: PoolMode,
  query_timeout = 5000,
): Session {
  return createSession({
    host: poolerFiles(config, mode).socketDirectory,
    port: poolerPort(config, mode),
    user: controlUser,
    password: secrets.control_password,
    database: "pgbouncer",
    query_timeout,
  });
}

/** What a pooler that runs has to do about its new files. */
export type FileChange = "none" | "reload" | "restart";

/** Writes the files of one pooler. `texts` are those that depend on single databases. */
export function configurePooler(
  config: HostConfig,
  mode: PoolMode,
  texts: { readonly databases: string; readonly hba: string; readonly users: string },
): FileChange {
  const files = poolerFiles(config, mode);
  makePrivateDirectories(files.socketDirectory);
  const before = readIfExists(files.ini) ?? "";
  const after = renderPoolerConfig(config, mode);
  const changes = [
    writeIfChanged(files.ini, after),
    writeIfChanged(files.hba, texts.hba),
    writeIfChanged(files.users, texts.users),
    writeIfChanged(files.databases, texts.databases),
  ];
  if (before !== "" && needsRestart(before, after)) return "restart";
  return changes.includes(true) ? "reload" : "none";
}

/** Rejects with what to do when somebody else listens there. */
function assertPortFree(address: string, port: number, field: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(
        new Error(
          `${field}: cannot listen on ${address} port ${port} (${error.code}): ` +
            "stop what listens there or configure another.",
        ),
      );
    });
    server.listen(port, address, () => server.close(() => resolve()));
  });
}

/** @throws Error for a PgBouncer that a stranger can stop with one packet. */
async function refuseOld(config: HostConfig): Promise<void> {
  const version = findVersion(await runProgram(config, "pgbouncer", ["--version"])) ?? "unknown";
  if (!isAtLeast(version, pgbouncerMinimum)) throw new Error(tooOld(version));
}

function tooOld(version: string): string {
  return (
    `PgBouncer ${version} is too old: anybody can stop it with one packet, without a login ` +
    `(CVE-2026-107349, CVE-2026-19888). Install ${pgbouncerMinimum} or newer, of Debian 14.`
  );
}

/** True for a pooler left running by an earlier start that is too old to be adopted. */
export async function isTooOld(console: Session): Promise<boolean> {
  const [row] = await console.query<{ version: string }>("SHOW VERSION");
  return !isAtLeast(findVersion(row?.version ?? "") ?? "", pgbouncerMinimum);
}

/** One PgBouncer of this host, for `supervise`. */
export function poolerProgram(config: HostConfig, mode: PoolMode, console: Session): Program {
  const files = poolerFiles(config, mode);
  const identity = { program: "pgbouncer", argument: files.ini };
  // Over TCP, as a stopping PgBouncer goes on answering on its Unix socket; without a login, as it
  // would write each into its log.
  const door = {
    at: { host: localAddress(config), port: poolerPort(config, mode) },
  };
  const find = () => findProcess(files.pid, identity);
  const check = async () => {
    await console.query("SHOW VERSION");
  };

  return {
    name: mode,
    find,
    check,
    probe: () => probeServer(door, probeMilliseconds),
    async start() {
      await refuseOld(config);
      // PgBouncer would go on without TCP, or not start when its old pid is in use elsewhere.
      await assertPortFree(config.listen.address, poolerPort(config, mode), `listen.${mode}_port`);
      if (find() === undefined) rmSync(files.pid, { force: true });
      let ended = false;
      const started = startServer(config, "pgbouncer", ["-q", files.ini], files.output);
      started.exited.then(() => {
        ended = true;
      });
      while (
        find() === undefined ||
        !(await check().then(
          () => true,
          () => false,
        ))
      ) {
        if (ended && find() === undefined) {
          const said = lastWords(files.output) || lastWords(files.log);
          throw startFailure(`pgbouncer (${mode})`, said, layout(config.directory).log);
        }
        await delay(20);
      }
    },
    async stop() {
      await console.close();
      const pid = find();
      // SIGQUIT is PgBouncer's "at once"; its SIGTERM waits for every client to leave.
      if (pid !== undefined && !(await endProcess(pid, identity, "SIGQUIT", stopSeconds))) {
        log("warn", `PgBouncer (${mode}) did not stop in time: killing it`, { stopSeconds });
        await endProcess(pid, identity, "SIGKILL", stopSeconds);
      }
    },
    async end() {
      const pid = find();
      if (pid !== undefined) await endProcess(pid, identity, "SIGKILL", stopSeconds);
    },
  };
}
