// `npm start`: installs what is missing, starts the whole system, says when it is ready.
//
// Settings are environment variables: MIOSA_HOME, MIOSA_PORT, MIOSA_ROOTFS, MIOSA_DATABASES_MAX,
// MIOSA_BACKENDS_MAX, MIOSA_CLIENTS_MAX, MIOSA_RESOLVER_URL, MIOSA_CRON_SECONDS,
// MIOSA_ORPHAN_DAYS.
// Started by root it installs as root, then becomes the service user before anything serves.
import { statSync } from "node:fs";
import { ensureBinaries } from "../install/binaries.ts";
import { say } from "../install/command.ts";
import { isRoot } from "../install/root.ts";
import { checkSandbox } from "../install/sandbox.ts";
import { alreadyRuns, findRunning, lockHome } from "./lock.ts";
import { becomeServiceUser, chooseUser, giveHome, seenHome } from "./privilege.ts";
import {
  homePaths,
  isForeign,
  makeHome,
  pathProblem,
  readSettings,
  type Settings,
} from "./settings.ts";
import { runSystem } from "./system.ts";
import { holdAsRoot } from "./users.ts";

const impatientMilliseconds = 1500;

/** Aborts when this process is asked to end. One Ctrl-C comes twice: from the terminal and npm. */
function endOnSignals(): AbortSignal {
  const ending = new AbortController();
  let askedAt = 0;
  const end = () => {
    if (!ending.signal.aborted) say("Stopping");
    else if (performance.now() - askedAt > impatientMilliseconds) say("Still stopping");
    askedAt = performance.now();
    ending.abort();
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, end);
  return ending.signal;
}

/** Refuses a state directory that is not one, before anything is written or given away. */
function assertOwn(settings: Settings): void {
  const { home } = settings;
  if (!isRoot() && statSync(home).uid !== process.getuid?.()) {
    throw new Error(
      `${home} belongs to another user, as after a start by root: start as that user, or with an` +
        " own MIOSA_HOME and MIOSA_PORT.",
    );
  }
  if (isForeign(home)) {
    throw new Error(`${home} holds files of something else: name an empty one as MIOSA_HOME.`);
  }
  const problem = isRoot() ? undefined : pathProblem(settings);
  if (problem !== undefined) throw new Error(`${home} ${problem}: set MIOSA_HOME to another.`);
}

async function main(): Promise<void> {
  const settings = makeHome(readSettings(process.env));
  const pid = await findRunning(settings.shown.home);
  if (pid !== undefined) throw new Error(alreadyRuns(settings.shown.home, pid));
  assertOwn(settings);
  const { binaries: record } = homePaths(settings.home);
  const binaries = await ensureBinaries({ record, rootfs: settings.rootfs });
  if (isRoot()) {
    const user = chooseUser(settings);
    giveHome(settings.home, user);
    await holdAsRoot(settings.home, homePaths(seenHome(settings, user)).host, user);
    becomeServiceUser(settings, user);
  }
  checkSandbox(binaries);
  const ending = endOnSignals();
  await lockHome(settings.shown.home);
  await runSystem(settings, binaries, ending);
  say("Stopped");
}

process.umask(0o077);
// A terminal that was closed must not keep the rest from an orderly end.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
try {
  await main();
  process.exit(0);
} catch (error) {
  process.stderr.write(`\n${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}
