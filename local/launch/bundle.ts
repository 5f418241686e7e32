// Bundles the Worker with wrangler, once for each state of the sources.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { readIfExists, writeAtomically } from "../../host/base/file.ts";

// Everything a bundle is made of. The lock file stands for node_modules.
const sources = ["wrangler.toml", "package.json", "package-lock.json", "workers", "src"];

function hashOf(repository: string, directory: string): string {
  // The paths too: the kept options hold them.
  const hash = createHash("sha256").update(`${repository}\0${directory}`);
  const add = (path: string): void => {
    const full = join(repository, path);
    if (statSync(full).isDirectory()) {
      for (const name of readdirSync(full).sort()) add(join(path, name));
      return;
    }
    hash.update(`\0${path}\0`).update(readFileSync(full));
  };
  for (const path of sources) add(path);
  return hash.digest("hex");
}

/** Quiet, offline, and leaving nothing outside of the state directory. */
export function wranglerEnvironment(directory: string): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH,
    HOME: directory,
    XDG_CONFIG_HOME: directory,
    TMPDIR: directory,
    CI: "true",
    NO_COLOR: "1",
    X_LOCAL_OBSERVABILITY: "false",
    X_LOCAL_EXPLORER: "false",
    CLOUDFLARE_CF_FETCH_ENABLED: "false",
    WRANGLER_SEND_METRICS: "false",
    WRANGLER_SEND_ERROR_REPORTS: "false",
    WRANGLER_HIDE_BANNER: "true",
    WRANGLER_LOG_PATH: join(directory, "wrangler-log"),
    DO_NOT_TRACK: "1",
  };
}

function wranglerProgram(): string {
  const manifest = createRequire(import.meta.url).resolve("wrangler/package.json");
  return join(dirname(manifest), "bin", "wrangler.js");
}

// wrangler writes beside its configuration, and the repository may belong to somebody else.
function linkProject(repository: string, project: string): void {
  rmSync(project, { recursive: true, force: true });
  mkdirSync(project, { recursive: true });
  const names = readdirSync(repository).filter((name) => !name.startsWith("."));
  for (const name of names) symlinkSync(join(repository, name), join(project, name));
}

/** Runs a Node program to its end; resolves to its output. */
function run(args: readonly string[], cwd: string, directory: string): Promise<string> {
  const child = spawn(process.execPath, args, {
    cwd,
    env: wranglerEnvironment(directory),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`The Worker does not build:\n${output}${said}`));
    });
  });
}

/** Where `bundle` puts what it makes, in the Worker's directory. */
export function bundlePaths(directory: string) {
  const output = join(directory, "bundle");
  return {
    output,
    main: join(output, "main.js"),
    /** What wrangler.toml means to Miniflare, without secrets. */
    options: join(directory, "options.json"),
    stamp: join(directory, "bundle.sha256"),
  };
}

async function build(repository: string, directory: string): Promise<void> {
  const { output, options } = bundlePaths(directory);
  const project = join(directory, "project");
  const part = `${output}.part`;
  linkProject(repository, project);
  rmSync(part, { recursive: true, force: true });
  const printer = join(import.meta.dirname, "wrangler-options.ts");
  const [, text] = await Promise.all([
    run([wranglerProgram(), "deploy", "--dry-run", "--outdir", part], project, directory),
    run([printer, join(project, "wrangler.toml")], project, directory),
  ]);
  writeAtomically(options, text);
  rmSync(output, { recursive: true, force: true });
  renameSync(part, output);
}

/** Makes the bundle unless it is there and the sources are as they were. True when it did. */
export async function bundle(repository: string, directory: string): Promise<boolean> {
  const { main, stamp } = bundlePaths(directory);
  const hash = hashOf(repository, directory);
  const isMade = statSync(main, { throwIfNoEntry: false }) !== undefined;
  if (isMade && readIfExists(stamp) === hash) return false;
  rmSync(stamp, { force: true });
  await build(repository, directory);
  writeAtomically(stamp, hash);
  return true;
}
