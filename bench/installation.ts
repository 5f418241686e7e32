// A whole system of the bench's own, in a state directory that is removed afterwards.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Binaries } from "../host/install/binaries.ts";
import { freePort } from "../test/support/host.ts";

/** A running system, as a bench sees it. */
export interface Installation {
  readonly apiUrl: string;
  readonly apiKey: string;
  /** Postgres' own socket directory and superuser, for the peers. */
  readonly superuser: { readonly host: string; readonly user: string; readonly password: string };
  readonly binaries: Binaries;
  /** The settings of the host program. */
  readonly hostFile: string;
  readonly stop: () => Promise<void>;
}

/** What its cluster is planned for. */
interface Plan {
  readonly backendsMax?: number;
  readonly clientsMax?: number;
}

const repository = resolve(import.meta.dirname, "..");
const readyMilliseconds = 600_000;

/**
 * Starts a system whose cluster takes as many databases as a bench makes: each adds to the memory
 * Postgres maps when it starts. The root file system is shared.
 */
export async function install(
  databasesMax = 1500,
  { backendsMax = Math.min(14_000, 8 * databasesMax), clientsMax = 5000 }: Plan = {},
): Promise<Installation> {
  const home = join(repository, ".miosa", "bench");
  const dev = join(home, "dev.json");
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  const launcher = spawn(process.execPath, [join(repository, "host/launch/main.ts")], {
    env: {
      ...process.env,
      MIOSA_HOME: home,
      MIOSA_PORT: String(await freePort()),
      MIOSA_ROOTFS: process.env.MIOSA_ROOTFS ?? join(repository, ".miosa", "rootfs"),
      MIOSA_DATABASES_MAX: String(databasesMax),
      MIOSA_BACKENDS_MAX: String(backendsMax),
      MIOSA_CLIENTS_MAX: String(clientsMax),
    },
    stdio: ["ignore", "ignore", "inherit"],
  });
  const stop = async () => {
    if (launcher.exitCode === null) {
      launcher.kill("SIGTERM");
      await once(launcher, "exit");
    }
    rmSync(home, { recursive: true, force: true });
  };
  const until = Date.now() + readyMilliseconds;
  while (!existsSync(dev)) {
    if (launcher.exitCode !== null || Date.now() > until) throw new Error("The system is not up.");
    await delay(100);
  }
  const read = (path: string) => JSON.parse(readFileSync(join(home, path), "utf8"));
  const { api_url: apiUrl, api_key: apiKey } = read("dev.json");
  const { user, password } = read("cluster/control.json");
  const superuser = { host: join(home, "cluster", "run"), user, password };
  return {
    apiUrl,
    apiKey,
    superuser,
    binaries: read("host.json").binaries,
    hostFile: join(home, "host.json"),
    stop,
  };
}
