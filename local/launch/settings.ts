// What a start was asked for, from the environment, and where things are in the state directory.
//
// How backups are kept is in backup.json there, which nobody else should read (chmod 600), as it
// holds the key of an object store; its fields are those of `backup` in host/program/config.ts:
//
//   {"s3": {"endpoint": "s3.eu-central-1.amazonaws.com", "region": "eu-central-1",
//           "bucket": "…", "key": "…", "key_secret": "…"}}
//
// `uri_style: "path"`, `port`, `prefix`, `address` and `ca_file` are for other stores.
import { existsSync, mkdirSync, readdirSync, realpathSync } from "node:fs";
import { join, resolve } from "node:path";
import { BackupSettings, problemsOf } from "../../host/base/config.ts";
import { readIfExists } from "../../host/base/file.ts";

/** Paths as this process sees them; `shown` has them as the person who started it does. */
export interface Settings {
  readonly repository: string;
  readonly home: string;
  readonly rootfs: string;
  readonly port: number;
  readonly databasesMax: number;
  /** In place of what the host plans. */
  readonly backendsMax: number | undefined;
  readonly clientsMax: number | undefined;
  /** Where the Worker resolves names of webhooks; undefined for its own default. */
  readonly resolverUrl: string | undefined;
  /** How often cron triggers fire within a minute in which they are due. */
  readonly cronSeconds: number;
  /** Days an orphan stays before it goes to the trash; 0 is for ever. */
  readonly orphanDays: number;
  readonly shown: { readonly home: string; readonly rootfs: string };
}

/** Names of the variables that a start reads. */
export const variables = {
  home: "MIOSA_HOME",
  rootfs: "MIOSA_ROOTFS",
  port: "MIOSA_PORT",
  databasesMax: "MIOSA_DATABASES_MAX",
  backendsMax: "MIOSA_BACKENDS_MAX",
  clientsMax: "MIOSA_CLIENTS_MAX",
  resolverUrl: "MIOSA_RESOLVER_URL",
  cronSeconds: "MIOSA_CRON_SECONDS",
  orphanDays: "MIOSA_ORPHAN_DAYS",
  /** Set for the part of a start that runs as the service user. */
  shownHome: "MIOSA_SHOWN_HOME",
  shownRootfs: "MIOSA_SHOWN_ROOTFS",
} as const;

type Environment = Readonly<Record<string, string | undefined>>;

function wholeNumber(
  env: Environment,
  name: string,
  standard: number,
  max: number,
  min = 1,
): number {
  const text = env[name] || String(standard);
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new Error(`${name} is ${JSON.stringify(text)}: give a whole number from ${min} to ${max}.`);
}

function optionalNumber(env: Environment, name: string, max: number): number | undefined {
  return env[name] ? wholeNumber(env, name, max, max) : undefined;
}

function resolverUrl(env: Environment): string | undefined {
  const text = env[variables.resolverUrl] || undefined;
  if (text === undefined || /^(https:\/\/|http:\/\/127\.0\.0\.1:)[^\s]+$/.test(text)) return text;
  const given = JSON.stringify(text);
  throw new Error(`${variables.resolverUrl} is ${given}: give the https:// URL of a resolver.`);
}

/** Reads the environment; makes nothing. Relative paths start where the command was given. */
export function readSettings(env: Environment): Settings {
  const repository = resolve(import.meta.dirname, "../..");
  const home = resolve(env[variables.home] || join(repository, ".miosa"));
  const rootfs = resolve(env[variables.rootfs] || join(home, "rootfs"));
  return {
    repository,
    home,
    rootfs,
    port: wholeNumber(env, variables.port, 8787, 65_535),
    databasesMax: wholeNumber(env, variables.databasesMax, 300, 5000),
    backendsMax: optionalNumber(env, variables.backendsMax, 50_000),
    clientsMax: optionalNumber(env, variables.clientsMax, 1_000_000),
    resolverUrl: resolverUrl(env),
    cronSeconds: wholeNumber(env, variables.cronSeconds, 60, 60),
    orphanDays: wholeNumber(env, variables.orphanDays, 7, 365, 0),
    shown: {
      home: env[variables.shownHome] || home,
      rootfs: env[variables.shownRootfs] || rootfs,
    },
  };
}

/** Makes the state directory; its path without links, so that one directory has one name. */
export function makeHome(settings: Settings): Settings {
  mkdirSync(settings.home, { recursive: true, mode: 0o700 });
  const home = realpathSync(settings.home);
  const shown = settings.shown.home === settings.home ? home : settings.shown.home;
  return { ...settings, home, shown: { ...settings.shown, home: shown } };
}

// The limits of the host program's configuration; host/ in it comes on top.
const homeBytesMax = 64;
const unusable = /[\p{Cc}'",\\%:]/u;

/** What backup.json says, as it is to stand in the host's configuration; undefined without one. */
export function readBackupSettings(home: string): BackupSettings | undefined {
  const { backup: file } = homePaths(home);
  const text = readIfExists(file);
  if (text === undefined) return undefined;
  const parsed = BackupSettings.safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data;
  throw new Error(`${file} does not say how backups are kept. ${problemsOf(parsed.error)}.`);
}

/** What keeps servers from running with these paths, or undefined. */
export function pathProblem({ home, rootfs }: Settings): string | undefined {
  if (unusable.test(home) || unusable.test(rootfs)) {
    return "has a quote, comma, colon, backslash or % in its path";
  }
  const isLong = Buffer.byteLength(home) > homeBytesMax;
  return isLong ? `has a path of more than ${homeBytesMax} bytes, too long for sockets` : undefined;
}

/** True for a directory that holds files, but none that a start has made. */
export function isForeign(home: string): boolean {
  const { backup, binaries, secrets } = homePaths(home);
  // How backups are kept may be said before the first start.
  const names = readdirSync(home).filter((name) => join(home, name) !== backup);
  const isOurs = names.some((name) => name.startsWith("rootfs"));
  return names.length > 0 && !isOurs && !existsSync(binaries) && !existsSync(secrets);
}

/** Where things are in the state directory. */
export function homePaths(home: string) {
  return {
    /** The API's address and key, while the system is up. */
    dev: join(home, "dev.json"),
    secrets: join(home, "secrets.json"),
    ports: join(home, "ports.json"),
    binaries: join(home, "binaries.json"),
    /** Processes of this start, for the next one. */
    processes: join(home, "processes.json"),
    /** The host program's configuration and its directory. */
    hostConfig: join(home, "host.json"),
    host: join(home, "host"),
    /** What a start of the former design, with one Postgres for all, left here. */
    former: join(home, "cluster"),
    /** How backups are kept, from whoever runs this. */
    backup: join(home, "backup.json"),
    /** D1 and Durable Objects; what `wrangler --persist-to` takes. */
    state: join(home, "state"),
    worker: join(home, "worker"),
    temporary: join(home, "tmp"),
    log: join(home, "log"),
    bin: join(home, "bin"),
  };
}
export type HomePaths = ReturnType<typeof homePaths>;
