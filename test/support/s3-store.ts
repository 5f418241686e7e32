// Objects of one bucket in a directory: a file each, uploads in parts beside them.
import { createHash, randomUUID } from "node:crypto";
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

/** An object in a listing. */
export interface S3Entry {
  readonly key: string;
  readonly bytes: number;
  readonly at: Date;
}

/** A page of a listing; keys below a delimiter are told by their common prefix. */
export interface S3Page {
  readonly entries: readonly S3Entry[];
  readonly prefixes: readonly string[];
  readonly next: string | undefined;
}

/** What S3 names a content with. */
export const etagOf = (content: Buffer) => `"${createHash("md5").update(content).digest("hex")}"`;

type At = (kind: string, name: string) => string;

/** Objects that come in parts. */
function uploadsIn(at: At, put: (key: string, content: Buffer) => void) {
  return {
    startUpload(): string {
      const id = randomUUID();
      mkdirSync(at("upload", id));
      return id;
    },
    putPart: (id: string, part: number, content: Buffer) =>
      writeFileSync(join(at("upload", id), String(part)), content),
    finishUpload(id: string, key: string): void {
      const parts = readdirSync(at("upload", id)).map(Number);
      const contents = parts
        .sort((one, other) => one - other)
        .map((part) => readFileSync(join(at("upload", id), String(part))));
      put(key, Buffer.concat(contents));
      rmSync(at("upload", id), { recursive: true });
    },
  };
}

/** Opens a bucket in a directory. */
export function openS3Store(directory: string) {
  const at: At = (kind, name) => join(directory, kind, encodeURIComponent(name));
  for (const kind of ["object", "upload", "meta"])
    mkdirSync(join(directory, kind), { recursive: true });

  /** `meta` is kept beside it. */
  function put(key: string, content: Buffer, meta = ""): void {
    const part = at("upload", randomUUID());
    writeFileSync(at("meta", key), meta);
    writeFileSync(part, content);
    renameSync(part, at("object", key));
  }

  function list(prefix: string, delimiter: string, after: string, max: number): S3Page {
    const keys = readdirSync(join(directory, "object")).map(decodeURIComponent).sort();
    const names = new Set<string>();
    for (const key of keys.filter((one) => one.startsWith(prefix))) {
      const end = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
      names.add(end < 0 ? key : key.slice(0, end + delimiter.length));
    }
    const rest = [...names].filter((name) => name > after);
    const page = rest.slice(0, max);
    const isPrefix = (name: string) => delimiter !== "" && name.endsWith(delimiter);
    const entries = page
      .filter((name) => !isPrefix(name))
      .map((key) => {
        const { size, mtime } = statSync(at("object", key));
        return { key, bytes: size, at: mtime };
      });
    const next = rest.length > max ? page.at(-1) : undefined;
    return { entries, prefixes: page.filter(isPrefix), next };
  }

  return {
    put,
    list,
    metaOf: (key: string): string => readFileSync(at("meta", key), "utf8"),
    /** Bytes of an object, undefined when there is none. */
    sizeOf: (key: string): number | undefined =>
      statSync(at("object", key), { throwIfNoEntry: false })?.size,
    /** A part of an object: from a byte, up to another one that is not in it. */
    read(key: string, from: number, to: number): Buffer {
      const file = openSync(at("object", key), "r");
      try {
        const content = Buffer.alloc(Math.max(0, to - from));
        return content.subarray(0, readSync(file, content, 0, content.length, from));
      } finally {
        closeSync(file);
      }
    },
    remove: (key: string) => rmSync(at("object", key), { force: true }),
    ...uploadsIn(at, put),
  };
}
export type S3Store = ReturnType<typeof openS3Store>;
