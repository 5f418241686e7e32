// A file for each database with what it did. A minute is appended; once the file is long, older
// minutes are put together. Not flushed: a crash of the machine may cost the last of them.
import { appendFile, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { compactSpans, parseSpans, renderSpan, type Span } from "./metric-series.ts";

/** Some three thousand spans, where a thousand are wanted. */
const fileBytesMax = 256 * 1024;

/** What is kept of all databases. */
export interface MetricFiles {
  /** The oldest first; none of a database nothing is kept of. */
  read(database: string): Promise<Span[]>;
  append(database: string, span: Span, now: number): Promise<void>;
  /** The databases something is kept of. */
  names(): Promise<string[]>;
  remove(database: string): Promise<void>;
}

/** Opens the files in a directory. Names of databases are checked before they come here. */
export function openMetricFiles(directory: string): MetricFiles {
  const pathOf = (database: string) => join(directory, `${database}.jsonl`);

  async function read(database: string): Promise<Span[]> {
    return parseSpans(await readFile(pathOf(database), "utf8").catch(() => ""));
  }

  async function compact(database: string, now: number): Promise<void> {
    const path = pathOf(database);
    const lines = compactSpans(await read(database), now).map(renderSpan);
    await writeFile(`${path}.part`, lines.join(""), { mode: 0o600 });
    await rename(`${path}.part`, path);
  }

  return {
    read,
    async append(database, span, now) {
      const path = pathOf(database);
      await appendFile(path, renderSpan(span), { mode: 0o600 });
      if ((await stat(path)).size > fileBytesMax) await compact(database, now);
    },
    async names() {
      const files = await readdir(directory);
      return files.flatMap((name) => /^(.*)\.jsonl$/.exec(name)?.[1] ?? []);
    },
    remove: (database) => rm(pathOf(database), { force: true }),
  };
}
