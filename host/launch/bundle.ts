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
import { readIfExists, writeAtomically } from "../file.ts";

// Everything a bundle is made of. The lock file stands for node_modules.
const sources = ["wrangler.toml", "package.json", "package-lock.json", "workers", "src"];

function hashOf(repository: string): string {
  const hash = createHash("sha256");
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

function run(project: string, output: string, directory: string): Promise<void> {
  const args = [wranglerProgram(), "deploy", "--dry-run", "--outdir", output];
  const child = spawn(process.execPath, args, {
    cwd: project,
    env: wranglerEnvironment(directory),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`The Worker does not build:\n${said.trim()}`));
    });
  });
}

/** Where `bundle` puts what it makes, in the Worker's directory. */
export function bundlePaths(directory: string) {
  const output = join(directory, "bundle");
  return { output, main: join(output, "main.js"), stamp: join(directory, "bundle.sha256") };
}

/** Makes the bundle unless it is there and the sources are as they were. True when it did. */
export async function bundle(repository: string, directory: string): Promise<boolean> {
  const { output, main, stamp } = bundlePaths(directory);
  const hash = hashOf(repository);
  const isMade = statSync(main, { throwIfNoEntry: false }) !== undefined;
  if (isMade && readIfExists(stamp) === hash) return false;
  const project = join(directory, "project");
  const part = `${output}.part`;
  linkProject(repository, project);
  rmSync(part, { recursive: true, force: true });
  await run(project, part, directory);
  rmSync(stamp, { force: true });
  rmSync(output, { recursive: true, force: true });
  renameSync(part, output);
  writeAtomically(stamp, hash);
  return true;
}
