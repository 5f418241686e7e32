// What a host is: the command `status`.
import { readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { protocolVersion } from "../../src/contract/instance/protocol.ts";
import type { Keeper } from "../instance/keeper.ts";
import { programsOf } from "../instance/programs.ts";
import { memoryBytes, type Plan } from "../plan.ts";
import type { CommandHandlers } from "../server/command.ts";
import { findVersion } from "../version.ts";
import type { HostConfig } from "./config.ts";
import { runTool } from "./tool.ts";

/** What is asked. */
export interface StatusOptions {
  readonly config: HostConfig;
  readonly identity: string;
  readonly plan: Plan;
  readonly keeper: Keeper;
  readonly startedAt: Date;
  readonly versions: Versions;
}

/** This program's own. */
export const hostVersion: string = JSON.parse(
  readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
).version;

/** What the programs say of themselves. */
export type Versions = () => Promise<Readonly<Record<ProgramName, string>>>;
type ProgramName = "postgres" | "pgbouncer" | "pgbackrest";

/** Versions as the programs say, asked once. */
export function createVersions({ binaries }: HostConfig): Versions {
  const programs = programsOf(binaries);
  const ask = async (path: string, word: string) =>
    findVersion(await runTool(binaries, [path, word])) ?? "unknown";
  async function askAll() {
    const [postgres, pgbouncer, pgbackrest] = await Promise.all([
      ask(join(programs.postgres, "postgres"), "--version"),
      ask(programs.pgbouncer, "--version"),
      ask(programs.pgbackrest, "version"),
    ]);
    return { postgres, pgbouncer, pgbackrest };
  }
  let asked: ReturnType<Versions> | undefined;
  return () => {
    asked ??= askAll();
    asked.catch(() => {
      asked = undefined;
    });
    return asked;
  };
}

/** Memory nobody uses, of the machine. */
function availableBytes(): number {
  const text = readFileSync("/proc/meminfo", "utf8");
  return Number(/^MemAvailable:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
}

/** Makes the handler. */
export function statusHandlers(options: StatusOptions): Pick<CommandHandlers, "status"> {
  const { config, identity, plan, keeper, startedAt, versions } = options;
  return {
    status: async () => {
      const [{ postgres, pgbouncer, pgbackrest }, disk] = await Promise.all([
        versions(),
        statfs(config.directory),
      ]);
      const instances = keeper.roster.all();
      return {
        postgres_version: postgres,
        pgbouncer_version: pgbouncer,
        pgbackrest_version: pgbackrest,
        started_at: startedAt.toISOString(),
        disk_free_bytes: disk.bavail * disk.bsize,
        disk_total_bytes: disk.blocks * disk.bsize,
        memory_total_bytes: memoryBytes(),
        memory_available_bytes: availableBytes(),
        processors: availableParallelism(),
        protocol: protocolVersion,
        identity,
        databases_max: config.databases_max,
        backends_max: plan.backendsMax,
        instances: instances.length,
        instances_running: instances.filter(({ server }) => server !== undefined).length,
        listen: {
          public_host: config.public_host,
          transaction_port: config.listen.transaction_port,
          session_port: config.listen.session_port,
        },
      };
    },
  };
}
