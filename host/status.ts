import { readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { protocolVersion } from "../src/contract/protocol.ts";
import type { StatusReport } from "../src/contract/status.ts";
import { runProgram } from "./binary.ts";
import type { HostConfig } from "./config.ts";
import { backendsOf, memoryBytes } from "./plan.ts";
import type { Session } from "./session.ts";

const postgresFacts = `
  select split_part(current_setting('server_version'), ' ', 1) as version,
         to_char(pg_postmaster_start_time() at time zone 'UTC',
                 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as started_at,
         current_setting('max_connections')::int as max_connections,
         (select system_identifier::text from pg_control_system()) as system_identifier`;

interface PostgresFacts {
  version: string;
  started_at: string;
  max_connections: number;
  system_identifier: string;
}

/** This program's own. */
export const hostVersion: string = JSON.parse(
  readFileSync(new URL("../package.json", import.meta.url), "utf8"),
).version;

/** `pgBackRest 2.55.1` → `2.55.1`. */
function versionIn(text: string): string {
  return /\d+(\.\d+)+/.exec(text)?.[0] ?? text.trim();
}

/** Makes the handler of the command `status`. */
export function createStatus(config: HostConfig, control: Session, poolerConsole: Session) {
  let backrest: Promise<string> | undefined;
  return async (): Promise<StatusReport> => {
    backrest ??= runProgram(config, "pgbackrest", ["version"]);
    backrest.catch(() => {
      backrest = undefined;
    });
    const [[postgres], [pooler], backrestVersion, disk] = await Promise.all([
      control.query<PostgresFacts & Record<string, unknown>>(postgresFacts),
      poolerConsole.query<{ version: string }>("SHOW VERSION"),
      backrest,
      statfs(config.directory),
    ]);
    if (postgres === undefined || pooler === undefined) throw new Error("A version is missing.");
    return {
      postgres_version: postgres.version,
      pgbouncer_version: versionIn(pooler.version),
      pgbackrest_version: versionIn(backrestVersion),
      started_at: postgres.started_at,
      max_connections: postgres.max_connections,
      disk_free_bytes: disk.bavail * disk.bsize,
      disk_total_bytes: disk.blocks * disk.bsize,
      system_identifier: postgres.system_identifier,
      protocol: protocolVersion,
      memory_total_bytes: memoryBytes(),
      databases_max: config.databases_max,
      backends_max: backendsOf(postgres.max_connections),
      listen: {
        public_host: config.public_host,
        transaction_port: config.listen.transaction_port,
        session_port: config.listen.session_port,
      },
    };
  };
}
