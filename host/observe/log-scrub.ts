// Hides in Postgres' log the passwords that errors quote, where they stand: a place in the file
// stays what it was. Postgres does not flush its log, so they are gone before the disk has them.
import { readFileSync, writeFileSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { entriesOf } from "./log-line.ts";
import { hideSecrets, isSuspect, stars } from "./log-secret.ts";
import { filesOf, type LogFile, pieceBytes, postgresLog, readPiece } from "./log-source.ts";

/** What follows in an entry nobody reads. */
const entryBytesMax = 64 * 1024;

/** Up to where all is hidden. */
const Mark = z.object({
  file: z.string(),
  offset: z.int().min(0),
  /** True when an entry goes on there. */
  isInside: z.boolean(),
});
type Mark = z.infer<typeof Mark>;

function readMark(path: string): Mark {
  try {
    return Mark.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    // Lost in a crash of the machine, or never made: all is looked at anew.
    return { file: "", offset: 0, isInside: false };
  }
}

function hideInEntry(entry: string): string {
  return hideSecrets(entry.slice(0, entryBytesMax)) + stars(entry.slice(entryBytesMax));
}

/** The text with all hidden in it; `isRest` when it begins in the middle of an entry. */
export function hideInPiece(text: string, isRest: boolean): string {
  if (!isRest && !isSuspect(text)) return text;
  const [first = "", ...others] = entriesOf(text);
  return [isRest ? stars(first) : hideInEntry(first), ...others.map(hideInEntry)].join("\n");
}

/** Where the last entry of a text begins; a line break at the end of the text begins none. */
function lastEntryOf(text: string): number {
  let at = text.lastIndexOf("\n", text.length - 2);
  while (at >= 0 && text[at + 1] === "\t") at = at === 0 ? -1 : text.lastIndexOf("\n", at - 1);
  return at + 1;
}

// Hides in one piece. The mark goes to its last entry, of which lines may still come.
async function hidePiece(handle: FileHandle, mark: Mark, bytes: number): Promise<Mark> {
  const to = Math.min(bytes, mark.offset + pieceBytes);
  const text = (await readPiece(handle, mark.offset, to)).toString("latin1");
  const hidden = hideInPiece(text, mark.isInside || text.startsWith("\t"));
  if (hidden !== text) await handle.write(Buffer.from(hidden, "latin1"), 0, null, mark.offset);
  const last = lastEntryOf(text);
  if (last > 0) return { ...mark, offset: mark.offset + last, isInside: false };
  if (text.length < pieceBytes) return mark;
  return { ...mark, offset: to, isInside: !text.endsWith("\n") };
}

async function hideInFile(file: LogFile, mark: Mark): Promise<Mark> {
  const handle = await open(file.path, "r+");
  try {
    let now = mark;
    for (;;) {
      const next = await hidePiece(handle, now, file.bytes);
      if (next.offset === now.offset) return next;
      now = next;
    }
  } finally {
    await handle.close();
  }
}

/** Makes the look that hides what was written since the last one. */
export function createLogScrub(directory: string): () => Promise<void> {
  const markFile = join(directory, "hidden.json");
  let mark = readMark(markFile);
  let bytesSeen = -1;
  return async () => {
    const files = filesOf(directory, postgresLog).filter(({ id }) => id >= mark.file);
    for (const file of files) {
      const before = mark.file === file.id ? mark : { file: file.id, offset: 0, isInside: false };
      if (before === mark && bytesSeen === file.bytes) continue;
      mark = await hideInFile(file, before);
      bytesSeen = file.bytes;
      writeFileSync(markFile, JSON.stringify(mark), { mode: 0o600 });
    }
  };
}
