// The repository of one database: its base backups and finished segments of WAL, kept by
// pgBackRest, encrypted with a key of its own. pgBackRest runs as the user of the database, in a
// box that holds its instance and its repository: what an instance's data may make it do reaches no
// other's.
import { createHmac } from "node:crypto";
import { chmodSync, chownSync, existsSync, mkdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { patiently, run } from "../base/spawn.ts";
import { writeIfChanged } from "../file.ts";
import { type Box, type BoxReach, toolLine } from "../instance/box.ts";
import { giveTo, makePassable } from "../instance/files.ts";
import { type Fleet, platformPassword, platformRole } from "../instance/fleet.ts";
import { inside, socketPort } from "../instance/place.ts";
import { programsOf } from "../instance/programs.ts";

/** pgBackRest's name for the one cluster of each repository. */
const stanza = "main";

/** One segment, whatever is in its place. */
const keepSeconds = 120;

/** What is kept, and for how long. */
export interface Retention {
  /** Any second of that many days can be recovered. */
  readonly recoveryDays: number;
  readonly baseBackupDays: number;
}

/** A base backup. */
export interface BaseBackup {
  readonly label: string;
  readonly type: "full" | "diff" | "incr";
  /** Unix time, seconds. */
  readonly startedAt: number;
  readonly stoppedAt: number;
  /** The first and the last segment of WAL it needs. */
  readonly firstWal: string;
  readonly lastWal: string;
  /** Where it begins and ends, as Postgres writes addresses. */
  readonly startLsn: string;
  readonly endLsn: string;
  /** What it is laid out, and what it takes of the repository. */
  readonly databaseBytes: number;
  readonly repositoryBytes: number;
}

/** Whole, or what changed since the last one. */
export type BackupType = "full" | "incr";

/** The repository of one database. */
export interface Repository {
  readonly directory: string;
  /**
   * Makes it unless it is there; the instance need not run. One that was another user's is given
   * to that of the box.
   */
  open(box: Box): Promise<void>;
  /** Takes a base backup of a running instance. */
  backUp(box: Box, type: BackupType): Promise<void>;
  /**
   * Keeps a segment of WAL that is written to no more; one that is kept already is as good. It is
   * the instance's own, or lies in the directory of copies `wal`.
   */
  keep(box: Box, segment: string, wal?: string): Promise<void>;
  /**
   * Fetches segments into `fetched/` of an instance, in their order; one is there once it is whole.
   * @throws Error at the first that it has not, or that is damaged
   */
  fetch(box: Box, segments: readonly string[], signal?: AbortSignal): Promise<void>;
  /** Lays out the files of a base backup in an empty instance. */
  restore(box: Box, label: string, signal?: AbortSignal): Promise<void>;
  /** The segments and histories it has, with the time each was kept at; milliseconds. */
  segments(box: Box): Promise<ReadonlyMap<string, number>>;
  /** Base backups that are whole, the oldest first. */
  list(box: Box): Promise<readonly BaseBackup[]>;
  /** Takes away what the retention no longer needs. */
  expire(box: Box): Promise<void>;
  /** Has every file of it read and compared, behind all that serves. @returns what was found */
  verify(box: Box): Promise<string>;
}

const Info = z.array(
  z.object({
    backup: z.array(
      z.object({
        label: z.string(),
        type: z.enum(["full", "diff", "incr"]),
        error: z.boolean().nullish(),
        timestamp: z.object({ start: z.int(), stop: z.int() }),
        archive: z.object({ start: z.string(), stop: z.string() }),
        lsn: z.object({ start: z.string(), stop: z.string() }),
        info: z.object({ size: z.int(), repository: z.object({ delta: z.int() }) }),
      }),
    ),
    repo: z.array(z.object({ status: z.object({ code: z.int(), message: z.string() }) })),
  }),
);
// Other codes say that there is nothing yet.
const unreadable = 99;

const Listing = z.record(z.string(), z.object({ time: z.number().nullish() }));

function settings(key: string, { recoveryDays, baseBackupDays }: Retention): string {
  const all = {
    "repo1-path": "/repository/data",
    "repo1-cipher-type": "aes-256-cbc",
    "repo1-cipher-pass": key,
    "repo1-bundle": "y",
    "repo1-block": "y",
    "repo1-retention-full-type": "time",
    "repo1-retention-full": baseBackupDays,
    "repo1-retention-archive-type": "full",
    // The window then begins at a backup that is older than its first second.
    "repo1-retention-archive": recoveryDays + 1,
    "compress-type": "zst",
    "compress-level": 3,
    "start-fast": "y",
    "process-max": 1,
    // A file that cannot be read here is no better half a minute later.
    "job-retry": 0,
    "expire-auto": "n",
    // Segments are kept by the host program, not by Postgres.
    "archive-check": "n",
    "archive-mode-check": "n",
    "lock-path": "/repository/lock",
    "log-path": "/repository/log",
    "log-level-console": "error",
    "log-level-stderr": "error",
    "log-level-file": "off",
  };
  const cluster = {
    "pg1-path": inside.data,
    "pg1-socket-path": inside.socket,
    "pg1-port": socketPort,
    "pg1-user": platformRole,
    "pg1-database": "postgres",
  };
  const lines = (section: object) =>
    Object.entries(section).map(([name, value]) => `${name}=${value}`);
  return ["[global]", ...lines(all), `[${stanza}]`, ...lines(cluster), ""].join("\n");
}

const keptForm = /(?:^|\/)([\dA-F]{24}(?=-)|[\dA-F]{8}\.history)/;

function segmentsIn(said: string): ReadonlyMap<string, number> {
  const rows = Object.entries(Listing.parse(JSON.parse(said))).flatMap(([path, { time }]) => {
    const name = keptForm.exec(path)?.[1];
    return name === undefined ? [] : [[name, (time ?? 0) * 1000] as const];
  });
  return new Map(rows);
}

function backupsIn(said: string): readonly BaseBackup[] {
  const [found] = Info.parse(JSON.parse(said));
  const status = found?.repo.map((repo) => repo.status).find(({ code }) => code === unreadable);
  if (status !== undefined) throw new Error(`pgbackrest failed: ${status.message}`);
  const whole = (found?.backup ?? []).filter(({ error }) => error !== true);
  return whole.map(({ label, type, timestamp, archive, lsn, info }) => ({
    ...{ label, type, startedAt: timestamp.start, stoppedAt: timestamp.stop },
    ...{ firstWal: archive.start, lastWal: archive.stop },
    ...{ startLsn: lsn.start, endLsn: lsn.stop },
    ...{ databaseBytes: info.size, repositoryBytes: info.repository.delta },
  }));
}

/** Encrypts the repository of a database; with the fleet's secret it can always be made again. */
export function repositoryKey({ secret }: Pick<Fleet, "secret">, database: string): string {
  return createHmac("sha256", secret).update(`repository ${database}`).digest("base64url");
}

// Each is seen under its name once it is whole.
const fetchEach = `
  tool=$1; shift
  for segment in "$@"; do
    part=/instance/fetched/part-$segment
    "$tool" --config=/pgbackrest.conf --stanza=${stanza} archive-get "$segment" "$part" || exit
    mv -T "$part" "/instance/fetched/$segment" || exit
  done`;

const verifying = ["--output=text", "--verbose", "--log-level-console=info", "verify"];

/** Names the repository of a database; makes nothing. */
export function repositoryOf(fleet: Fleet, database: string, retention: Retention): Repository {
  const directory = join(fleet.directory, "repository", database);
  const file = join(directory, "pgbackrest.conf");
  const key = repositoryKey(fleet, database);
  const reach = { readable: { "/pgbackrest.conf": file }, writable: { "/repository": directory } };

  const wordsOf = (args: readonly string[]) => [
    ...["--config=/pgbackrest.conf", `--stanza=${stanza}`, ...args],
  ];
  const lineOf = (box: Box, args: readonly string[], more: BoxReach = {}) =>
    toolLine(box, "pgbackrest", wordsOf(args), { onlyReads: true, ...reach, ...more });
  const secrets = () => ({ PGPASSWORD: platformPassword(fleet, database) });
  const ask = (box: Box, args: readonly string[], more: BoxReach = {}, seconds?: number) =>
    run(lineOf(box, args, more), secrets(), seconds);

  return {
    directory,
    async open(box) {
      makePassable(dirname(directory), directory);
      const data = join(directory, "data");
      const isAnothers = existsSync(data) && box.uid !== null && statSync(data).uid !== box.uid;
      for (const path of ["data", "lock", "log"].map((each) => join(directory, each))) {
        mkdirSync(path, { recursive: true, mode: 0o700 });
        if (box.uid !== null) chownSync(path, box.uid, box.uid);
      }
      if (isAnothers) await giveTo(box, data);
      writeIfChanged(file, settings(key, retention));
      chmodSync(file, 0o640);
      if (box.uid !== null) chownSync(file, -1, box.uid);
      // It would wait for a backup that runs.
      if (existsSync(join(data, "archive", stanza, "archive.info"))) return;
      await ask(box, ["--no-online", "stanza-create"]);
    },
    backUp: async (box, type) => {
      const line = lineOf(box, [`--type=${type}`, "backup"]);
      await run([...patiently, ...line], secrets());
    },
    keep: async (box, segment, wal) => {
      const file = join(wal === undefined ? join(inside.data, "pg_wal") : "/wal", segment);
      const readable = wal === undefined ? reach.readable : { ...reach.readable, "/wal": wal };
      await ask(box, ["archive-push", file], { readable }, keepSeconds);
    },
    fetch: async (box, segments, signal) => {
      const args = ["-c", fetchEach, "sh", "/usr/bin/pgbackrest", ...segments];
      await run(toolLine(box, "sh", args, reach), {}, undefined, signal);
    },
    restore: async (box, label, signal) => {
      const way = ["--type=none", `--set=${label}`, "--archive-mode=off"];
      // All of it is written to disk at once by whoever asked.
      const variables = programsOf(box.binaries).withoutSync;
      const line = lineOf(box, [...way, "restore"], { onlyReads: false, variables });
      await run(line, secrets(), undefined, signal);
    },
    segments: async (box) =>
      segmentsIn(await ask(box, ["--recurse", "--output=json", "repo-ls", `archive/${stanza}`])),
    list: async (box) => backupsIn(await ask(box, ["--output=json", "info"])),
    expire: async (box) => void (await ask(box, ["expire"])),
    verify: (box) => run([...patiently, ...lineOf(box, verifying)], secrets()),
  };
}
