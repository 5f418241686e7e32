// The repository of one database: its base backups and finished segments of WAL, kept by
// pgBackRest, encrypted with a key of its own. pgBackRest runs as the user of the database, in a
// box that holds its instance and its repository: what an instance's data may make it do reaches no
// other's.
import { createHmac } from "node:crypto";
import { chmodSync, chownSync, existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { run } from "../base/spawn.ts";
import { writeIfChanged } from "../file.ts";
import { type Box, type BoxReach, toolLine } from "../instance/box.ts";
import { makePassable } from "../instance/files.ts";
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
  /** Where it ends, as Postgres writes addresses. */
  readonly endLsn: string;
}

/** Whole, or what changed since the last one. */
export type BackupType = "full" | "incr";

/** The repository of one database. */
export interface Repository {
  readonly directory: string;
  /** Makes it unless it is there; the instance need not run. */
  open(box: Box): Promise<void>;
  /** Takes a base backup of a running instance. */
  backUp(box: Box, type: BackupType): Promise<void>;
  /**
   * Keeps a segment of WAL that is written to no more; one that is kept already is as good. It is
   * the instance's own, or lies in the directory of copies `wal`.
   */
  keep(box: Box, segment: string, wal?: string): Promise<void>;
  /** Fetches a segment into the directory of an instance. @throws Error when it has none */
  fetch(box: Box, segment: string, into: string): Promise<void>;
  /** Lays out the files of a base backup in an empty instance. */
  restore(box: Box, label: string): Promise<void>;
  /** Names of the segments and histories it has. */
  segments(box: Box): Promise<readonly string[]>;
  /** Base backups that are whole, the oldest first. */
  list(box: Box): Promise<readonly BaseBackup[]>;
  /** Takes away what the retention no longer needs. */
  expire(box: Box): Promise<void>;
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
      }),
    ),
  }),
);

const Listing = z.record(z.string(), z.unknown());

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

function segmentsIn(said: string): readonly string[] {
  return Object.keys(Listing.parse(JSON.parse(said))).flatMap(
    (path) => /(?:^|\/)([\dA-F]{24}(?=-)|[\dA-F]{8}\.history)/.exec(path)?.[1] ?? [],
  );
}

function backupsIn(said: string): readonly BaseBackup[] {
  const [found] = Info.parse(JSON.parse(said));
  const whole = (found?.backup ?? []).filter(({ error }) => error !== true);
  return whole.map(({ label, type, timestamp, archive, lsn }) => ({
    ...{ label, type, startedAt: timestamp.start, stoppedAt: timestamp.stop },
    ...{ firstWal: archive.start, lastWal: archive.stop, endLsn: lsn.stop },
  }));
}

/** Encrypts the repository of a database; with the fleet's secret it can always be made again. */
export function repositoryKey({ secret }: Pick<Fleet, "secret">, database: string): string {
  return createHmac("sha256", secret).update(`repository ${database}`).digest("base64url");
}

/** Names the repository of a database; makes nothing. */
export function repositoryOf(fleet: Fleet, database: string, retention: Retention): Repository {
  const directory = join(fleet.directory, "repository", database);
  const file = join(directory, "pgbackrest.conf");
  const key = repositoryKey(fleet, database);
  const reach = { readable: { "/pgbackrest.conf": file }, writable: { "/repository": directory } };

  async function ask(
    box: Box,
    args: readonly string[],
    more: BoxReach = {},
    seconds?: number,
  ): Promise<string> {
    const words = ["--config=/pgbackrest.conf", `--stanza=${stanza}`, ...args];
    const line = toolLine(box, "pgbackrest", words, { onlyReads: true, ...reach, ...more });
    return run(line, { PGPASSWORD: platformPassword(fleet, database) }, seconds);
  }

  return {
    directory,
    async open(box) {
      makePassable(dirname(directory), directory);
      for (const path of ["data", "lock", "log"].map((each) => join(directory, each))) {
        mkdirSync(path, { recursive: true, mode: 0o700 });
        if (box.uid !== null) chownSync(path, box.uid, box.uid);
      }
      writeIfChanged(file, settings(key, retention));
      chmodSync(file, 0o640);
      if (box.uid !== null) chownSync(file, -1, box.uid);
      // It would wait for a backup that runs.
      if (existsSync(join(directory, "data", "archive", stanza, "archive.info"))) return;
      await ask(box, ["--no-online", "stanza-create"]);
    },
    backUp: async (box, type) => void (await ask(box, [`--type=${type}`, "backup"])),
    keep: async (box, segment, wal) => {
      const file = join(wal === undefined ? join(inside.data, "pg_wal") : "/wal", segment);
      const readable = wal === undefined ? reach.readable : { ...reach.readable, "/wal": wal };
      await ask(box, ["archive-push", file], { readable }, keepSeconds);
    },
    fetch: async (box, segment, into) => {
      await ask(box, ["archive-get", segment, into], { onlyReads: false });
    },
    restore: async (box, label) => {
      const way = ["--type=none", `--set=${label}`, "--archive-mode=off"];
      // All of it is written to disk at once by whoever asked.
      const variables = programsOf(box.binaries).withoutSync;
      await ask(box, [...way, "restore"], { onlyReads: false, variables });
    },
    segments: async (box) =>
      segmentsIn(await ask(box, ["--recurse", "--output=json", "repo-ls", `archive/${stanza}`])),
    list: async (box) => backupsIn(await ask(box, ["--output=json", "info"])),
    expire: async (box) => void (await ask(box, ["expire"])),
  };
}
