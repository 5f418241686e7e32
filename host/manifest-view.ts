// A base backup's manifest with the files of one database alone: the ordinary restore then fetches,
// checks and writes just those, and replay makes what it needs of the others anew. Directories of
// all databases stay: replaying CREATE DATABASE by file copy wants the one it copies from.
import { createHash } from "node:crypto";

const knownFormat = "5";
// Databases below are Postgres' own, which every restore needs.
const firstUserOid = 16_384;

/** Why a manifest is not filtered; the stock restore is then the way. */
export class ManifestRefused extends Error {
  override readonly name = "ManifestRefused";
}

interface Section {
  readonly name: string;
  readonly lines: readonly string[];
}

function sectionsOf(manifest: string): Section[] {
  const sections: { name: string; lines: string[] }[] = [];
  for (const line of manifest.split("\n")) {
    const name = /^\[(.+)\]$/.exec(line)?.[1];
    if (name !== undefined) sections.push({ name, lines: [] });
    else if (line !== "") sections.at(-1)?.lines.push(line);
  }
  return sections;
}

function settingOf({ lines }: Section, key: string): string | undefined {
  return lines.find((line) => line.startsWith(`${key}=`))?.slice(key.length + 1);
}

// pgBackRest's own: SHA-1 of the sections as one JSON document, values as they stand.
function checksumOf(sections: readonly Section[]): string {
  const hash = createHash("sha1");
  sections.forEach(({ name, lines }, index) => {
    hash.update(`${index === 0 ? "{" : ","}${JSON.stringify(name)}:{`);
    lines.forEach((line, position) => {
      const at = line.indexOf("=");
      const key = JSON.stringify(line.slice(0, at));
      hash.update(`${position === 0 ? "" : ","}${key}:${line.slice(at + 1)}`);
    });
    hash.update("}");
  });
  return hash.update("}").digest("hex");
}

/** The oid of the database whose file a line is about; undefined for all other files. */
function databaseOf(line: string): number | undefined {
  const found = /^pg_data\/base\/(\d+)\/|^pg_tblspc\/\d+\/PG_[^/]+\/(\d+)\//.exec(line);
  return found === null ? undefined : Number(found[1] ?? found[2]);
}

function isWanted(line: string, oids: ReadonlySet<number>): boolean {
  const oid = databaseOf(line);
  return oid === undefined || oid < firstUserOid || oids.has(oid);
}

/** Bytes a stock restore of one database fetches; undefined when the database is not there. */
export function stockBytes(manifest: string, oid: number): number | undefined {
  const files = sectionsOf(manifest).find(({ name }) => name === "target:file")?.lines ?? [];
  if (!files.some((line) => databaseOf(line) === oid)) return undefined;
  return bytesOf(files.filter((line) => isWanted(line, new Set([oid]))));
}

/** A manifest that was cut down, and how much of it is left to fetch. */
export interface ManifestView {
  readonly text: string;
  readonly files: number;
  readonly bytes: number;
}

/**
 * Keeps the files of the databases with these oids and of Postgres itself.
 * @throws ManifestRefused for a format this does not know, or a checksum it cannot reproduce.
 */
export function filterManifest(manifest: string, oids: ReadonlySet<number>): ManifestView {
  const sections = sectionsOf(manifest);
  const [first] = sections;
  const last = sections.at(-1);
  const checksum = last === undefined ? undefined : settingOf(last, "backrest-checksum");
  if (first === undefined || settingOf(first, "backrest-format") !== knownFormat) {
    throw new ManifestRefused("The manifest's format is not known.");
  }
  const body = sections.slice(0, -1);
  if (checksum !== JSON.stringify(checksumOf(body))) {
    throw new ManifestRefused("The manifest's checksum cannot be reproduced.");
  }
  const kept = body.map(({ name, lines }) =>
    name === "target:file"
      ? { name, lines: lines.filter((line) => isWanted(line, oids)) }
      : { name, lines },
  );
  const files = kept.find(({ name }) => name === "target:file")?.lines ?? [];
  const end = { name: "backrest", lines: [`backrest-checksum="${checksumOf(kept)}"`] };
  return { text: render([...kept, end]), files: files.length, bytes: bytesOf(files) };
}

/** The key a backup's files are encrypted with; undefined when they are not. */
export function cipherPassOf(manifest: string): string | undefined {
  const cipher = sectionsOf(manifest).find(({ name }) => name === "cipher");
  const value = cipher === undefined ? undefined : settingOf(cipher, "cipher-pass");
  return value === undefined ? undefined : String(JSON.parse(value));
}

function bytesOf(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + Number(/"size":(\d+)/.exec(line)?.[1] ?? 0), 0);
}

function render(sections: readonly Section[]): string {
  const texts = sections.map(({ name, lines }) => `[${name}]\n${lines.join("\n")}\n`);
  return texts.join("\n");
}
