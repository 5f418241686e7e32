// Runs the Worker: a child of the launcher.
//
//   node local/launch/worker.ts --home DIRECTORY --port PORT --closed-ports PORT,PORT…
//                              --cron-seconds N --orphan-days N [--resolver URL]
//
// Bindings  from wrangler.toml: DB (D1), NUDGE (queue), LANE and LIMITER (Durable Objects); their
//           state is in state/ of the directory. From secrets.json: MIOSA_ADMIN_KEY (the
//           operator's API key, which makes its organization and workspace at its first use),
//           MIOSA_SEALING_KEYS ({"current","keys"}), MIOSA_HOST_KEY and MIOSA_CERTIFICATE_KEY
//           (private Ed25519 JWKs with kid). MIOSA_CLIENT_ADDRESS is where all requests come from:
//           this machine.
//           MIOSA_WEBHOOK_LOOPBACK, the closed ports, lets webhooks go to receivers on this
//           machine at any other port; an installation for customers never sets it.
//           MIOSA_RESOLVER_URL is where names of webhooks are resolved. MIOSA_ORPHAN_DAYS is how
//           long an orphan stays before it goes to the trash.
// Messages  to the launcher: {"ready": true, "workerd": PID}, again whenever workerd was restarted.
// Cron      triggers of wrangler.toml fire here, as a local Worker's do not by themselves.
// Ends      on SIGTERM, when the launcher is gone, and when workerd is gone for good.
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { extname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { V4ModuleDefinition, V4WorkerOptions } from "miniflare";
import { readIfExists, writeAtomically } from "../../host/base/file.ts";
import { log, messageOf } from "../../host/base/log.ts";
import { isHalted } from "../../host/base/process.ts";
import { answersAt } from "./api.ts";
import { bundlePaths, wranglerEnvironment } from "./bundle.ts";
import { isDue, untilNext } from "./cron.ts";
import { type Database, migrate } from "./migrate.ts";
import { keepSecrets } from "./secrets.ts";
import { homePaths } from "./settings.ts";

type WorkerOptions = Pick<V4WorkerOptions, "bindings" | "cronTriggers">;
type ModuleType = V4ModuleDefinition["type"];

const repository = resolve(import.meta.dirname, "../..");
// Nobody else reaches it, so this is also where every request comes from.
const address = "127.0.0.1";

interface Options {
  readonly home: string;
  readonly port: number;
  readonly closedPorts: string;
  readonly cronSeconds: number;
  readonly orphanDays: string;
  readonly resolver: string | undefined;
}

function readOptions(): Options {
  const text = { type: "string" } as const;
  const needed = {
    ...{ home: text, port: text, "closed-ports": text, "cron-seconds": text },
    "orphan-days": text,
  } as const;
  const { values } = parseArgs({ options: { ...needed, resolver: text } });
  const { home, port, "closed-ports": closedPorts, "cron-seconds": seconds, resolver } = values;
  const { "orphan-days": orphanDays } = values;
  if (!home || !port || !closedPorts || !seconds || !orphanDays) {
    const names = Object.keys(needed).map((name) => `--${name}`);
    throw new Error(`Give ${names.join(", ")}.`);
  }
  const numbers = { port: Number(port), cronSeconds: Number(seconds) };
  return { home, ...numbers, closedPorts, orphanDays, resolver };
}

// workerd lives and dies with this process, also when this process is killed.
function wrapRuntime(directory: string): string {
  const wrapper = join(directory, "workerd");
  const miniflare = createRequire(import.meta.url).resolve("miniflare");
  const runtime: string = createRequire(miniflare)("workerd").default;
  const command = `exec setpriv --pdeathsig KILL -- '${runtime}' "$@"`;
  writeAtomically(wrapper, `#!/bin/sh\n${command}\n`);
  chmodSync(wrapper, 0o700);
  return wrapper;
}

function prepareEnvironment(home: string): void {
  const { worker, temporary, state } = homePaths(home);
  rmSync(temporary, { recursive: true, force: true });
  for (const path of [worker, temporary, state]) mkdirSync(path, { recursive: true, mode: 0o700 });
  // Left by a start that was killed; it would hold up this one for half a minute.
  rmSync(join(state, "v3", ".miniflare-startup.lock"), { force: true });
  const quiet = { ...wranglerEnvironment(worker), TMPDIR: temporary };
  Object.assign(process.env, quiet, { MINIFLARE_WORKERD_PATH: wrapRuntime(worker) });
}

/** The pid of this process's workerd. */
function findRuntime(): number | undefined {
  const children = readIfExists(`/proc/self/task/${process.pid}/children`) ?? "";
  const isRuntime = (pid: string) => (readIfExists(`/proc/${pid}/comm`) ?? "") === "workerd\n";
  const pid = children.trim().split(" ").find(isRuntime);
  return pid === undefined ? undefined : Number(pid);
}

const moduleTypes: Readonly<Record<string, ModuleType>> = {
  ".js": "ESModule",
  ".mjs": "ESModule",
  ".wasm": "CompiledWasm",
  ".txt": "Text",
  ".html": "Text",
  ".sql": "Text",
  ".bin": "Data",
};

/** The bundle's modules, the main one first. */
function listModules(output: string) {
  const names = readdirSync(output).sort(
    (a, b) => Number(b === "main.js") - Number(a === "main.js"),
  );
  return names.flatMap((name) => {
    const type = moduleTypes[extname(name)];
    return type === undefined ? [] : [{ type, path: join(output, name) }];
  });
}

async function createRuntime(
  { home, port, closedPorts, orphanDays, resolver }: Options,
  onRestart: () => void,
) {
  const { state, worker, secrets: file } = homePaths(home);
  const { Log, LogLevel, Miniflare, convertV4MiniflareOptions } = await import("miniflare");
  const secrets = keepSecrets(file);
  const { output, options: optionsFile } = bundlePaths(worker);
  const workerOptions: WorkerOptions = JSON.parse(readFileSync(optionsFile, "utf8"));
  const options = convertV4MiniflareOptions({
    ...workerOptions,
    modules: listModules(output),
    modulesRoot: output,
    bindings: {
      ...workerOptions.bindings,
      MIOSA_ADMIN_KEY: secrets.admin_key,
      MIOSA_SEALING_KEYS: JSON.stringify(secrets.sealing_keys),
      MIOSA_HOST_KEY: JSON.stringify(secrets.host_key),
      MIOSA_CERTIFICATE_KEY: JSON.stringify(secrets.certificate_key),
      MIOSA_WEBHOOK_LOOPBACK: closedPorts,
      MIOSA_CLIENT_ADDRESS: address,
      ...(resolver === undefined ? {} : { MIOSA_RESOLVER_URL: resolver }),
      MIOSA_ORPHAN_DAYS: orphanDays,
    },
    host: address,
    port,
    log: new Log(LogLevel.WARN),
    logRequests: false,
    cf: false,
    resourcePersistencePath: join(state, "v3"),
    unsafeObservability: false,
    unsafeLocalExplorer: false,
    telemetry: { enabled: false },
    unsafeHandleRuntimeRestart: onRestart,
  });
  return { runtime: new Miniflare(options), crons: workerOptions.cronTriggers ?? [] };
}

type Runtime = Awaited<ReturnType<typeof createRuntime>>["runtime"];

// Local queues are memory: what was under way when workerd died waits for the sweep, which passes
// over work that moved in the last 5 s.
const catchUpMilliseconds = 6000;

/**
 * Fires triggers that are due every so many seconds; one that still runs is not fired again. The
 * returned function fires all of them once, soon.
 */
function fireCrons(runtime: Runtime, crons: readonly string[], seconds: number): () => void {
  const running = new Set<string>();
  const fire = async (cron: string, scheduledTime: Date) => {
    if (running.has(cron)) return;
    running.add(cron);
    try {
      const worker = await runtime.getWorker();
      const { outcome } = await worker.scheduled({ cron, scheduledTime });
      if (outcome !== "ok") log("error", "A cron trigger failed", { cron, outcome });
    } catch (error) {
      log("error", `A cron trigger failed: ${messageOf(error)}`, { cron });
    } finally {
      running.delete(cron);
    }
  };
  const wait = () => setTimeout(onTime, untilNext(seconds, Date.now()));
  const onTime = () => {
    const now = new Date();
    for (const cron of crons) if (isDue(cron, now)) void fire(cron, now);
    wait();
  };
  wait();
  return () => {
    const fireAll = () => {
      for (const cron of crons) void fire(cron, new Date());
    };
    setTimeout(fireAll, catchUpMilliseconds);
  };
}

/** Has the Worker tell of it: workers/cron.ts knows the word. */
async function report(runtime: Runtime, what: "restarted" | "halted"): Promise<void> {
  try {
    const worker = await runtime.getWorker();
    await worker.scheduled({ cron: what, scheduledTime: new Date() });
  } catch (error) {
    log("error", `It was not told that workerd was ${what}: ${messageOf(error)}`);
  }
}

const goneMilliseconds = 3000;
const lookMilliseconds = 250;

/** Ends this process when workerd is gone for longer than Miniflare takes to start it anew. */
function watchRuntime(): void {
  let seenAt = performance.now();
  setInterval(() => {
    if (findRuntime() !== undefined) seenAt = performance.now();
    if (performance.now() - seenAt > goneMilliseconds) giveUp(new Error("workerd is gone."));
  }, lookMilliseconds);
}

const haltedMilliseconds = 2000;
const silentMilliseconds = 6000;
const aliveLookMilliseconds = 500;

/**
 * Sends workerd on when it was halted, and ends it when it lives and does not answer: Miniflare
 * then starts another one.
 */
function keepRuntimeAnswering(port: number, runtime: Runtime): void {
  let since: number | undefined;
  let isLooking = false;
  setInterval(async () => {
    const pid = findRuntime();
    if (pid === undefined) since = undefined;
    if (isLooking || pid === undefined) return;
    isLooking = true;
    const isHalt = isHalted(pid);
    const isWell = !isHalt && (await answersAt(`http://${address}:${port}/healthz`));
    isLooking = false;
    if (isWell) since = undefined;
    else since ??= performance.now();
    const silence = since === undefined ? 0 : performance.now() - since;
    if (silence < (isHalt ? haltedMilliseconds : silentMilliseconds)) return;
    since = undefined;
    log("error", isHalt ? "workerd was halted: sending it on" : "workerd does not answer");
    if (findRuntime() !== pid) return;
    process.kill(pid, isHalt ? "SIGCONT" : "SIGKILL");
    if (isHalt) void report(runtime, "halted");
  }, aliveLookMilliseconds);
}

function giveUp(error: unknown): never {
  log("error", messageOf(error));
  process.exit(1);
}

async function run(options: Options): Promise<void> {
  prepareEnvironment(options.home);
  let catchUp = () => {};
  let tellRestart = () => {};
  const tell = () => {
    process.send?.({ ready: true, workerd: findRuntime() });
    catchUp();
    tellRestart();
  };
  const { runtime, crons } = await createRuntime(options, tell);
  const stop = () => {
    runtime.dispose().then(() => process.exit(0), giveUp);
  };
  for (const event of ["SIGTERM", "SIGINT", "disconnect"]) process.once(event, stop);
  await runtime.ready;
  const db: Database = await runtime.getD1Database("DB");
  const applied = await migrate(db, join(repository, "migrations"));
  if (applied.length > 0) log("info", "Applied migrations", { names: applied.join(" ") });
  catchUp = fireCrons(runtime, crons, options.cronSeconds);
  watchRuntime();
  keepRuntimeAnswering(options.port, runtime);
  tell();
  // From here on each time is one more than was meant.
  tellRestart = () => report(runtime, "restarted");
}

process.umask(0o077);
try {
  await run(readOptions());
} catch (error) {
  giveUp(error);
}
