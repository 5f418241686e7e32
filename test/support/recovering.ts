// A host with tenants of its own, as tests of recoveries drive it: by its commands alone.
import { randomUUID } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import type {
  HostCommandInput,
  HostCommandName,
  HostCommandReport,
} from "../../src/contract/command.ts";
import { until } from "./client.ts";
import type { TestHost } from "./host.ts";

/** What a recovery has come to. */
export type RecoveryStatus = HostCommandReport<"recovery.status">;

/** Who owns a tenant's database, and who logs in to it. */
export interface TenantRoles {
  readonly owner: string;
  readonly login: string;
}

/** The password of every tenant here. */
export const tenantPassword = "a password only tests know";

function reporter(host: TestHost) {
  return async <Name extends HostCommandName>(
    name: Name,
    input: HostCommandInput<Name>,
  ): Promise<HostCommandReport<Name>> => {
    const response = await host.command(name, input);
    const body = (await response.json()) as { report: HostCommandReport<Name> };
    if (response.status !== 200) throw new Error(`${name}: ${JSON.stringify(body)}`);
    return body.report;
  };
}
type Reporter = ReturnType<typeof reporter>;

function sqlOf(host: TestHost) {
  async function withClient<Result>(
    database: string,
    login: { user: string; password: string; options?: string },
    work: (client: Client) => Promise<Result>,
  ): Promise<Result> {
    const client = new Client({ host: join(host.config.directory, "run"), database, ...login });
    await client.connect();
    return work(client).finally(() => client.end());
  }

  return {
    /** As a superuser, who by default finds nothing of a tenant's without its schema. */
    sql: (database: string, text: string) =>
      withClient(
        database,
        { ...host.login, options: "-c search_path=public" },
        async (client) => (await client.query(text)).rows,
      ),
    asTenant: <Result>(database: string, user: string, work: (client: Client) => Promise<Result>) =>
      withClient(database, { user, password: tenantPassword }, work),
  };
}
type Sql = ReturnType<typeof sqlOf>["sql"];

async function makeTenant(sql: Sql, database: string, { owner, login }: TenantRoles) {
  await sql(
    "postgres",
    `create role ${owner} nologin;
     create role ${login} login password '${tenantPassword}';
     grant ${owner} to ${login} with inherit true, set true;
     alter role ${login} set role = ${owner}`,
  );
  await sql("postgres", `create database ${database} template miosa_template`);
  await sql(
    "postgres",
    `revoke all on database ${database} from public;
     grant connect, create, temporary on database ${database} to ${owner}`,
  );
  await sql(database, `alter schema public owner to ${owner}`);
}

async function baseBackup(report: Reporter, type: "full" | "incr"): Promise<void> {
  const backup_id = randomUUID();
  await report("base_backup.start", { backup_id, type });
  const status = () => report("base_backup.status", { backup_id });
  const isOver = ({ state }: Awaited<ReturnType<typeof status>>) => state !== "running";
  const { state, error } = await until("a base backup", status, isOver, 60);
  if (state !== "succeeded") throw new Error(`The base backup failed: ${error}`);
  // A target in the second in which the backup ended is one second too early for it.
  const { base_backups } = await report("base_backups", {});
  const stopped = Date.parse(base_backups.at(-1)?.stopped_at ?? "");
  const isPast = (now: number) => now - stopped > 1000;
  await until("its end", async () => Date.now(), isPast);
}

function recoveriesOf(report: Reporter) {
  const settled = (recovery_id: string, isOver: (status: RecoveryStatus) => boolean) =>
    until("an end", () => report("recovery.status", { recovery_id }), isOver, 60);

  async function start(time: string, database_oid: number) {
    const recovery_id = randomUUID();
    await report("recovery.start", { recovery_id, request: { database_oid, target: { time } } });
    const isOver = ({ state }: RecoveryStatus) => state === "ready" || state === "failed";
    return { recovery_id, status: await settled(recovery_id, isOver) };
  }

  return {
    settled,
    /** Begins a recovery and waits until it is ready or has failed. */
    start,
    /** The same for a moment that may not be archived yet. */
    async recover(time: string, database_oid: number) {
      await report("recovery_window", {});
      return start(time, database_oid);
    },
  };
}

/** Calls of a host's commands, and SQL beside them. */
export function recoveringHost(host: TestHost) {
  const report = reporter(host);
  const { sql, asTenant } = sqlOf(host);
  return {
    report,
    sql,
    asTenant,
    ...recoveriesOf(report),
    makeTenant: (database: string, roles: TenantRoles) => makeTenant(sql, database, roles),
    /** Resolves when a recovery can begin from it. */
    baseBackup: (type: "full" | "incr" = "incr") => baseBackup(report, type),
    async oidOf(database: string): Promise<number> {
      const text = `select oid::int from pg_database where datname = '${database}'`;
      return (await sql("postgres", text))[0].oid;
    },
    /** Names of the scratch hosts there are. */
    scratchNames: () => readdirSync(join(host.config.directory, "scratch")),
  };
}
export type RecoveringHost = ReturnType<typeof recoveringHost>;

/** The moment it is, for Postgres, to the microsecond. */
export const momentNow = `select to_char(clock_timestamp() at time zone 'UTC',
  'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as time`;
