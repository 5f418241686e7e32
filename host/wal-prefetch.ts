// WAL of the local repository, fetched while the files of a base backup are restored: a replay that
// asks pgBackRest for each segment waits for it to start as long as it replays.
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
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

/**
 * Fetches segments; the setting with which Postgres takes them. What cannot be fetched is left to
 * pgBackRest when its turn comes, as are all others.
 */
export async function prefetchWal(scratch: Scratch, wanted: readonly string[]): Promise<string> {
  const { config, files, reach } = scratch;
  const directory = join(files.directory, "wal");
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const options = [`--config=${writeConfig(scratch)}`, `--stanza=${stanza}`];
  const queue = [...wanted];
  const work = async () => {
    for (let wal = queue.shift(); wal !== undefined; wal = queue.shift()) {
      const part = join(files.directory, `${wal}.part`);
      const line = [...options, `--pg1-path=${files.data}`, "archive-get", wal, part];
      await runProgram(config, "pgbackrest", line, { reach });
      renameSync(part, join(directory, wal));
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work)).catch((error) => {
    queue.length = 0;
    log("warn", `WAL is not fetched beforehand: ${messageOf(error)}`);
  });
  const otherwise =
    `"${programPath(config, "pgbackrest")}" --config="${files.config}" --stanza=${stanza} ` +
    `--pg1-path="${files.data}" archive-get %f "%p"`;
  return `restore_command = 'cp "${directory}/%f" "%p" 2>/dev/null || ${otherwise}'\n`;
}
