// What is wanted of each database of a host, and of each preview: a file for each, so that one
// which cannot be read keeps nobody else's from being served. From them follow the lines of the
// poolers.
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { DatabaseName } from "../../src/contract/name.ts";
import type { PoolLimits } from "../../src/contract/pool.ts";
import { DatabaseSpec, Login } from "../../src/contract/spec.ts";
import { syncDirectory, writeAtomically } from "../base/file.ts";
import { log, messageOf } from "../base/log.ts";
import { HostProblem } from "../base/problem.ts";
import type { Line, LineLimits } from "../pooler/render.ts";

/** One database, as its host was told to have it. */
export const DatabaseRecord = z.strictObject({
  database: DatabaseName,
  spec: DatabaseSpec,
  /** `stopped`: by its owner; nobody but its owner starts it. */
  state: z.enum(["running", "stopped"]),
  createdAt: z.iso.datetime(),
  /** `specSha256` of what was last in force; none before anything was. */
  inForce: z.string().length(64).optional(),
  /** Set while it is only half there: it has no line, and the same command again goes on. */
  stage: z.enum(["making", "removing"]).optional(),
  /** Why the host program stopped it and refuses its clients until it is started. */
  halted: z.string().optional(),
  /** The database it was branched from. */
  source: DatabaseName.optional(),
});
export type DatabaseRecord = z.infer<typeof DatabaseRecord>;

/** A recovered instance that one login may read, by a name of its own. */
export const PreviewRecord = z.strictObject({
  /** What clients call it. */
  line: DatabaseName,
  /** What it is called in its instance: its source's name. */
  database: DatabaseName,
  instance: z.string(),
  login: Login,
  limits: DatabaseSpec.pick({ transaction: true, session: true, allowed_addresses: true }),
  expiresAt: z.iso.datetime(),
});
export type PreviewRecord = z.infer<typeof PreviewRecord>;

/** Records of one kind, by name. */
export interface Records<Record> {
  all(): readonly Record[];
  has(name: string): boolean;
  /** @throws HostProblem 404 when there is none of this name */
  get(name: string): Record;
  /** Puts one in, or in the place of the one of its name; on disk before it returns. */
  put(record: Record): void;
  /** None of this name is as good; on disk before it returns. */
  remove(name: string): void;
}

/** What is kept of a host's databases. */
export interface DatabaseFiles {
  readonly databases: Records<DatabaseRecord>;
  readonly previews: Records<PreviewRecord>;
}

function readRecord<Record extends object>(
  path: string,
  form: z.ZodType<Record>,
): Record | undefined {
  try {
    return form.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (error) {
    log("error", `${path} cannot be read, and is left as it is: ${messageOf(error)}`);
    return undefined;
  }
}

function openRecords<Record extends object>(
  directory: string,
  form: z.ZodType<Record>,
  nameOf: (record: Record) => string,
): Records<Record> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const fileOf = (name: string) => join(directory, `${name}.json`);
  const names = readdirSync(directory).flatMap((file) => /^(.+)\.json$/.exec(file)?.[1] ?? []);
  const kept = names.flatMap((name) => readRecord(fileOf(name), form) ?? []);
  const records = new Map(kept.map((record) => [nameOf(record), record]));
  return {
    all: () => [...records.values()],
    has: (name) => records.has(name),
    get(name) {
      const record = records.get(name);
      if (record !== undefined) return record;
      throw new HostProblem(404, "unknown_database", `There is no database ${name} on this host.`);
    },
    put(record) {
      writeAtomically(fileOf(nameOf(record)), `${JSON.stringify(record)}\n`);
      syncDirectory(directory);
      records.set(nameOf(record), record);
    },
    remove(name) {
      rmSync(fileOf(name), { force: true });
      syncDirectory(directory);
      records.delete(name);
    },
  };
}

/** Opens what is kept in the directory of a fleet. */
export function openDatabaseFiles(directory: string): DatabaseFiles {
  return {
    databases: openRecords(join(directory, "database"), DatabaseRecord, (one) => one.database),
    previews: openRecords(join(directory, "preview"), PreviewRecord, (one) => one.line),
  };
}

type Mode = "transaction" | "session";

function lineLimits({ pool_size, client_connections_max }: PoolLimits): LineLimits {
  return { poolSize: pool_size, clientsMax: client_connections_max };
}

/** True for one that is to let nobody in. */
export function isRefused({ state, halted }: DatabaseRecord): boolean {
  return state === "stopped" || halted !== undefined;
}

/** The line of a database in a pooler of one mode. */
function lineOfDatabase(record: DatabaseRecord, mode: Mode, link: string): Line {
  const { database, spec } = record;
  const { logins: users, allowed_addresses: allowedNetworks } = spec;
  return {
    ...{ database, inside: database, link, limits: lineLimits(spec[mode]), users, allowedNetworks },
    ...(isRefused(record) ? { isStopped: true } : {}),
  };
}

function lineOfPreview(preview: PreviewRecord, mode: Mode, link: string): Line {
  const { line, database: inside, login, limits } = preview;
  return {
    ...{ database: line, inside, link, users: [login] },
    limits: lineLimits(limits[mode]),
    allowedNetworks: limits.allowed_addresses,
  };
}

/** The lines of all of them in a pooler of one mode. */
export function linesOf(
  { databases, previews }: DatabaseFiles,
  mode: Mode,
  linkOf: (line: string) => string,
): readonly Line[] {
  const served = databases.all().filter(({ stage }) => stage === undefined);
  return [
    ...served.map((one) => lineOfDatabase(one, mode, linkOf(one.database))),
    ...previews.all().map((one) => lineOfPreview(one, mode, linkOf(one.line))),
  ];
}
