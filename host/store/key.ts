// How objects of a host are called in the store.

/** A file of a database's repository, by the names that lead to it. */
export type Names = readonly string[];

/** Its key among those of its database; names are anybody's, keys are of few characters. */
export function dataKey(names: Names): string {
  return ["data", ...names.map(escapeName)].join("/");
}

/** The names a key of the repository's data stands for; undefined for another key. */
export function dataNames(key: string): Names | undefined {
  const [kind, ...names] = key.split("/");
  return kind === "data" ? names.map(decodeURIComponent) : undefined;
}

function escapeName(name: string): string {
  const code = (character: string) =>
    `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
  return encodeURIComponent(name).replaceAll(/[!'()*~]/g, code);
}

/** A small file of its WAL's directory. */
export const walKey = (name: string) => `wal/${name}`;

/** A small file beside its repository, in which the host keeps what it knows of it. */
export const noteKey = (name: string) => `note/${name}`;

/** True for the name of such a file. */
export const isNote = (name: string) => /^([a-z-]+\.json|removed)$/.test(name);

/** A piece of a segment that is not in its repository yet. */
export function cellKey(segment: string, cell: number): string {
  return walKey(`${segment}.${String(cell).padStart(3, "0")}`);
}

/** Which piece of which segment a key stands for; undefined for another key. */
export function cellOf(
  key: string,
): { readonly segment: string; readonly cell: number } | undefined {
  const [, segment, cell] = /^wal\/([\dA-F]{24})\.(\d{3})$/.exec(key) ?? [];
  return segment === undefined ? undefined : { segment, cell: Number(cell) };
}

/** What it is, and whose. */
export const recordKey = "record";

/** What is in the store of one database of a host. */
export const databasePrefix = (database: string) => `database/${database}/`;

/** Below it there is a folder for each database. */
export const databasesPrefix = "database/";

/** Which host it is. */
export const hostKey = "host";
