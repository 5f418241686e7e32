// What is in an archive of pg_dump's, entry by entry, and which of it is loaded.
import type { Box } from "../instance/box.ts";
import { runProgram } from "./program.ts";

/** An archive that lies in a directory of the host's, where a program in a box reads it. */
export interface Unpacked {
  readonly box: Box;
  readonly directory: string;
  readonly signal: AbortSignal;
}

const seen = "/load";

/** Names in that directory. */
const names = { archive: "archive", list: "list" } as const;

/** Where programs in the box see them. */
export const inBox = { archive: `${seen}/${names.archive}`, list: `${seen}/${names.list}` };

/** Where the host has them. */
export const onHost = ({ directory }: Unpacked) => ({
  archive: `${directory}/${names.archive}`,
  list: `${directory}/${names.list}`,
});

/** What a program in the box reads there. */
export const reachOf = ({ directory }: Unpacked) => ({ [seen]: directory });

/** Runs pg_restore without a database. @returns what it wrote */
export function readArchive(unpacked: Unpacked, args: readonly string[]): Promise<string> {
  const { box, signal } = unpacked;
  const readable = reachOf(unpacked);
  return runProgram(box, { name: "pg_restore", args, readable, signal });
}

/** The lines of an archive's table of contents, as pg_restore takes them again. */
export async function entriesOf(unpacked: Unpacked): Promise<readonly string[]> {
  const contents = await readArchive(unpacked, ["-l", inBox.archive]);
  return contents.split("\n").filter((line) => /^\d+; /.test(line));
}

const kindOf = (...kinds: readonly string[]) =>
  new RegExp(`^\\d+; \\d+ \\d+ (?:${kinds.join("|")}) `);

// Of an extension that was there before the archive came, the tenant is not the owner.
const ofExtension = kindOf("COMMENT - EXTENSION");
const given = kindOf("EXTENSION - pg_stat_statements");
const rights = kindOf("ACL", "DEFAULT ACL");
const policies = kindOf("POLICY", "COMMENT .* POLICY");

/** Entries by when they are loaded; those that are not at all are left out. */
export function sortEntries(entries: readonly string[]) {
  const isOf = (form: RegExp) => (entry: string) => form.test(entry);
  const later = [ofExtension, given, rights, policies];
  return {
    first: entries.filter((entry) => !later.some((form) => form.test(entry))),
    policies: entries.filter(isOf(policies)),
    rights: entries.filter(isOf(rights)),
  };
}
