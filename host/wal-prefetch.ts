// WAL of the local repository, fetched while the files of a base backup are restored and while
// what is there already is replayed: a replay that asks pgBackRest for each segment waits for it to
// start as long as it replays.
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { stanza } from "./backrest-config.ts";
import { programPath, runProgram } from "./binary.ts";
import { layout } from "./config.ts";
import { log, messageOf } from "./log.ts";
import type { Scratch } from "./scratch.ts";

const concurrency = 2;

/** Names of the segments of WAL in the local repository. */
export function localSegments({ config }: Scratch): ReadonlySet<string> {
  const archive = join(layout(config.directory).repository, "archive", stanza);
  const names = readdirSync(archive, { recursive: true }).map((path) => String(path));
  return new Set(names.flatMap((path) => /([0-9A-F]{24})-[^/]*$/.exec(path)?.slice(1) ?? []));
}

// One segment for each call: none of them looks ahead.
function writeConfig({ files }: Scratch): string {
  const config = join(files.directory, "prefetch.conf");
  const text = readFileSync(files.config, "utf8");
  const lines = text.split("\n").filter((line) => !/^(archive-async|spool-path)=/.test(line));
  writeFileSync(config, lines.join("\n"), { mode: 0o600 });
  return config;
}

// pgBackRest wants to see whose WAL it fetches, and the scratch cluster's own control file is the
// last that is restored.
function writeControlFile({ config, files }: Scratch): string {
  const directory = join(files.directory, "control");
  mkdirSync(join(directory, "global"), { recursive: true, mode: 0o700 });
  const file = join("global", "pg_control");
  copyFileSync(join(layout(config.directory).data, file), join(directory, file));
  return directory;
}

/** WAL that is being fetched. */
export interface Prefetch {
  /** The setting with which Postgres takes it. */
  readonly setting: string;
  /** Fetches nothing more. */
  stop(): Promise<void>;
}

// A fetched segment is moved, not copied: when Postgres asks again it has it. What was not to be
// had beforehand is left to pgBackRest when its turn comes, as is all after the last one wanted.
function restoreCommand({ config, files }: Scratch, directory: string, marker: string): string {
  const program = programPath(config, "pgbackrest");
  const otherwise =
    `"${program}" --config="${files.config}" --stanza=${stanza} ` +
    `--pg1-path="${files.data}" archive-get %f "%p"`;
  const wait = `while [ ! -e "$f" ] && [ -e "${marker}" ]; do sleep 0.01; done`;
  return (
    `f="${directory}/%f"; case %f in *.history) ;; *) ${wait};; esac; ` +
    `if mv "$f" "%p" 2>/dev/null; then : > "$f.taken"; ` +
    `else [ ! -e "$f.taken" ] && ${otherwise}; fi`
  );
}

/** Begins to fetch segments, in their order. */
export function prefetchWal(scratch: Scratch, wanted: readonly string[]): Prefetch {
  const { config, files, reach } = scratch;
  const directory = join(files.directory, "wal");
  const marker = join(directory, "fetching");
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(marker, "");
  const queue = [...wanted];
  const work = async (options: readonly string[]) => {
    for (let wal = queue.shift(); wal !== undefined; wal = queue.shift()) {
      const part = join(files.directory, `${wal}.part`);
      const line = [...options, "archive-get", wal, part];
      await runProgram(config, "pgbackrest", line, { reach, isPatient: true, isDisposable: true });
      renameSync(part, join(directory, wal));
    }
  };
  const all = async () => {
    const settings = [`--config=${writeConfig(scratch)}`, `--stanza=${stanza}`];
    const options = [...settings, `--pg1-path=${writeControlFile(scratch)}`];
    await Promise.all(Array.from({ length: concurrency }, () => work(options)));
  };
  const fetched = all()
    .catch((error) => {
      queue.length = 0;
      log("warn", `WAL is not fetched beforehand: ${messageOf(error)}`);
    })
    .finally(() => rmSync(marker, { force: true }));
  return {
    setting: `restore_command = '${restoreCommand(scratch, directory, marker)}'\n`,
    stop: () => {
      queue.length = 0;
      return fetched;
    },
  };
}
