// pgBackRest as this program runs it, and what its answers mean.
import { z } from "zod";
import { backrestFiles, type Repository, stanza } from "./backrest-config.ts";
import { runProgram, withoutContent } from "./binary.ts";
import type { HostConfig } from "./config.ts";
import type { Secrets } from "./secret.ts";

/** Runs one of pgBackRest's commands; rejects with its words. */
export type Backrest = (
  command: string,
  options?: readonly string[],
  parameters?: readonly string[],
) => Promise<string>;

/** Binds it to one of a cluster's repositories. */
export function createBackrest(
  config: HostConfig,
  secrets: Secrets,
  repository: Repository = 1,
): Backrest {
  const files = backrestFiles(config);
  const settings = repository === 1 ? files.config : files.storeConfig;
  const head = [`--config=${settings}`, `--stanza=${stanza}`];
  const login = { PGPASSWORD: secrets.control_password };
  return (command, options = [], parameters = []) =>
    runProgram(config, "pgbackrest", [...head, ...options, command, ...parameters], {
      secrets: login,
    });
}

const Info = z.array(
  z.object({
    backup: z.array(
      z.object({
        label: z.string(),
        type: z.enum(["full", "diff", "incr"]),
        prior: z.string().nullable(),
        error: z.boolean().nullable(),
        archive: z.object({ start: z.string(), stop: z.string() }),
        info: z.object({
          size: z.int(),
          repository: z.object({ delta: z.int() }),
        }),
        lsn: z.object({ start: z.string(), stop: z.string() }),
        timestamp: z.object({ start: z.int(), stop: z.int() }),
      }),
    ),
    repo: z.array(z.object({ status: z.object({ code: z.int(), message: z.string() }) })),
  }),
);
// Other codes say that there is nothing yet.
const unreadable = 99;

/** A base backup in one of the repositories. */
export interface BaseBackup {
  readonly label: string;
  readonly repository: Repository;
  readonly type: "full" | "diff" | "incr";
  /** Milliseconds since the epoch, to the second. */
  readonly startedAt: number;
  readonly stoppedAt: number;
  readonly startWal: string;
  readonly stopWal: string;
  readonly startLsn: string;
  readonly databaseBytes: number;
  readonly repositoryBytes: number;
}

/** The base backups in a repository, the oldest first. @throws Error when it cannot be read */
export async function listBackups(
  backrest: Backrest,
  repository: Repository,
): Promise<BaseBackup[]> {
  const told = await backrest("info", ["--output=json"]);
  // Of a file it cannot read it quotes the bytes as they are.
  const [cluster] = Info.parse(JSON.parse(told.replaceAll(/\p{Cc}/gu, " ")));
  const broken = cluster?.repo.find(({ status }) => status.code === unreadable);
  if (broken !== undefined) throw new Error(withoutContent(broken.status.message));
  return (cluster?.backup ?? [])
    .filter(({ error }) => error !== true)
    .map((backup) => ({
      label: backup.label,
      repository,
      type: backup.type,
      startedAt: backup.timestamp.start * 1000,
      stoppedAt: backup.timestamp.stop * 1000,
      startWal: backup.archive.start,
      stopWal: backup.archive.stop,
      startLsn: backup.lsn.start,
      databaseBytes: backup.info.size,
      repositoryBytes: backup.info.repository.delta,
    }))
    .sort((one, other) => one.stoppedAt - other.stoppedAt);
}

const Listed = z.record(z.string(), z.object({ type: z.string(), time: z.int().optional() }));

/** Segments of WAL in a repository, in order: name, and when each came. */
export async function listWal(
  backrest: Backrest,
): Promise<{ readonly wal: string; readonly at: number }[]> {
  const options = ["--recurse", "--output=json"];
  const text = await backrest("repo-ls", options, [`archive/${stanza}`]);
  return Object.entries(Listed.parse(JSON.parse(text)))
    .flatMap(([path, { time = 0 }]) => {
      const wal = /\/([0-9A-F]{24})-[0-9a-f]{40}/.exec(path)?.[1];
      return wal === undefined ? [] : [{ wal, at: time * 1000 }];
    })
    .sort((one, other) => (one.wal < other.wal ? -1 : 1));
}
