// The files of one PgBouncer, and what it is made from.
import { chmodSync, chownSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Binaries } from "../base/binaries.ts";
import { writeIfChanged } from "../base/file.ts";
import { passwdText } from "../instance/box.ts";
import { makePassable } from "../instance/files.ts";
import { socketPort } from "../instance/place.ts";
import {
  type ConsoleUser,
  type Line,
  type PoolerPlace,
  renderHba,
  renderLines,
  renderPooler,
  renderUsers,
} from "./render.ts";

/** Certificate and key in PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** One pooler. */
export interface PoolerOptions {
  readonly binaries: Binaries;
  /** Its own, which its user may pass through and nobody else reads. */
  readonly directory: string;
  /** The user it runs as; null where the host program may not give it one. */
  readonly uid: number | null;
  readonly mode: PoolerPlace["mode"];
  readonly address: string;
  readonly port: number;
  readonly clientsMax: number;
  readonly certificate: Certificate;
  readonly requiresTls: boolean;
  readonly console: ConsoleUser & { readonly password: string };
  /** What its lines lead to: links, sockets of instances, and the host program's own. */
  readonly reachable: readonly string[];
}

/** A pooler's files. */
export function filesOf(directory: string, mode: PoolerPlace["mode"]) {
  const at = (name: string) => join(directory, name);
  return {
    settings: at(`${mode}.ini`),
    databases: at(`${mode}-databases.ini`),
    users: at(`${mode}-users.txt`),
    hba: at(`${mode}-hba.conf`),
    certificate: at("server.crt"),
    key: at("server.key"),
    passwd: at("passwd"),
    socketDirectory: at(mode),
    log: at(`${mode}.log`),
  };
}
export type PoolerFiles = ReturnType<typeof filesOf>;

/** The settings file as it has to be. */
export function settingsText(options: PoolerOptions, files: PoolerFiles): string {
  return renderPooler(placeOf(options, files), options.console);
}

function placeOf(options: PoolerOptions, files: PoolerFiles): PoolerPlace {
  const { mode, address, port, clientsMax } = options;
  return {
    ...{ mode, address, port, clientsMax },
    socketDirectory: files.socketDirectory,
    databasesFile: files.databases,
    usersFile: files.users,
    hbaFile: files.hba,
    tls: {
      certificateFile: files.certificate,
      keyFile: files.key,
      isRequired: options.requiresTls,
    },
  };
}

/** Writes a file its user may read and nobody else; true when it differs from before. */
function give(path: string, text: string, uid: number | null): boolean {
  const isNew = writeIfChanged(path, text);
  chmodSync(path, 0o640);
  if (uid !== null) chownSync(path, -1, uid);
  return isNew;
}

/** Writes its files; true when a running one has to read them again. */
export function writeFiles(
  options: PoolerOptions,
  files: PoolerFiles,
  certificate: Certificate,
  lines: readonly Line[],
): boolean {
  const { uid, console, directory } = options;
  makePassable(directory);
  mkdirSync(files.socketDirectory, { recursive: true, mode: 0o700 });
  if (uid !== null) chownSync(files.socketDirectory, uid, uid);
  give(files.passwd, passwdText(uid ?? process.getuid?.() ?? 0), uid);
  const changes = [
    give(files.certificate, certificate.cert, uid),
    give(files.key, certificate.key, uid),
    give(files.settings, settingsText(options, files), uid),
    give(files.users, renderUsers(lines, console), uid),
    give(files.hba, renderHba(lines, console), uid),
    give(files.databases, renderLines(lines, socketPort), uid),
  ];
  return changes.includes(true);
}
