// pgBackRest's settings. The working repository is the first, on the disk of the cluster: Postgres
// archives into it, and recoveries read it through a cut-down view made of links, which an object
// store has no word for. The second, in an S3-compatible store, follows it (store.ts). Each has a
// file of its own, in which it is the only one: pgBackRest would have Postgres' archiving wait
// for the store, half a minute for each segment while it is down.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { type HostConfig, layout, postgresPort } from "./config.ts";
import { writeIfChanged } from "./file.ts";
import { controlUser, type Secrets } from "./secret.ts";

/** pgBackRest's name for this cluster in its repositories. */
export const stanza = "main";

/** Where pgBackRest's own files are. */
export function backrestFiles(config: HostConfig) {
  const { backrest } = layout(config.directory);
  return {
    config: join(backrest, "pgbackrest.conf"),
    /** The same for the repository in an object store. */
    storeConfig: join(backrest, "store.conf"),
    spool: join(backrest, "spool"),
    lock: join(backrest, "lock"),
    storeLock: join(backrest, "store-lock"),
    log: join(backrest, "log"),
    /** Who vouches for the object store; beside the rest, as a root file system has nobody. */
    authorities: join(backrest, "authorities.crt"),
    /** Segments of WAL on their way to it. */
    transit: join(backrest, "transit"),
    /** What became of base backups that were asked for. */
    backups: join(backrest, "base-backup.json"),
    /** Commits known by their time, for the ends of the recovery window. */
    heartbeats: join(backrest, "heartbeat.jsonl"),
    /** Bytes of WAL written when the last base backup ended. */
    written: join(backrest, "written.json"),
  };
}

/** 1 is beside the cluster, 2 in an object store. */
export type Repository = 1 | 2;

// Of silence, three times in a row; a store that is down is not waited for longer.
const storeSeconds = 10;

type BackrestFiles = ReturnType<typeof backrestFiles>;
type S3 = NonNullable<HostConfig["backup"]["s3"]>;
type Settings = Record<string, string | number>;

function localRepository(config: HostConfig, files: BackrestFiles): Settings {
  return {
    "repo1-path": layout(config.directory).repository,
    "archive-async": "y",
    "spool-path": files.spool,
    "lock-path": files.lock,
  };
}

function storeRepository(s3: S3, files: BackrestFiles): Settings {
  return {
    "repo1-type": "s3",
    "repo1-path": s3.prefix,
    "repo1-s3-bucket": s3.bucket,
    "repo1-s3-endpoint": s3.endpoint,
    "repo1-s3-region": s3.region,
    "repo1-s3-uri-style": s3.uri_style,
    "repo1-s3-key": s3.key,
    "repo1-s3-key-secret": s3.key_secret,
    ...(s3.address === undefined ? {} : { "repo1-storage-host": s3.address }),
    "repo1-storage-port": s3.port,
    "repo1-storage-ca-file": files.authorities,
    "io-timeout": storeSeconds,
    "lock-path": files.storeLock,
  };
}

// WAL is kept for as many full backups as there are days in the recovery window, and one more:
// the window then begins at a backup that is older than its first second.
function repositorySettings({ backup }: HostConfig, secrets: Secrets): Settings {
  return {
    "repo1-cipher-type": "aes-256-cbc",
    "repo1-cipher-pass": secrets.repository_key,
    "repo1-bundle": "y",
    "repo1-block": "y",
    "repo1-retention-full-type": "time",
    "repo1-retention-full": backup.base_backup_days,
    "repo1-retention-archive-type": "full",
    "repo1-retention-archive": backup.recovery_days + 1,
  };
}

/** The whole of the settings of a repository. They hold secrets: 0600. */
export function renderBackrestConfig(
  config: HostConfig,
  secrets: Secrets,
  repository: Repository = 1,
): string {
  const { data, run } = layout(config.directory);
  const files = backrestFiles(config);
  const { s3 } = config.backup;
  const isStore = repository === 2 && s3 !== undefined;
  const global: Settings = {
    ...(isStore ? storeRepository(s3, files) : localRepository(config, files)),
    ...repositorySettings(config, secrets),
    "compress-type": "zst",
    "compress-level": 3,
    "start-fast": "y",
    "process-max": 2,
    "log-path": files.log,
    "log-level-console": "error",
    "log-level-stderr": "error",
    "log-level-file": "off",
    // Expiry is a step of its own, which a recovery can hold.
    "expire-auto": "n",
  };
  const cluster: Settings = {
    "pg1-path": data,
    "pg1-socket-path": run,
    "pg1-port": postgresPort,
    "pg1-user": controlUser,
  };
  const lines = (settings: Settings) =>
    Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
  const head = "# Written by the host program at every start.\n";
  return `${head}[global]\n${lines(global).join("")}\n[${stanza}]\n${lines(cluster).join("")}`;
}

/** Writes them. */
export function configureBackrest(config: HostConfig, secrets: Secrets): void {
  const files = backrestFiles(config);
  const { s3 } = config.backup;
  writeIfChanged(files.config, renderBackrestConfig(config, secrets));
  if (s3 === undefined) return;
  const own = s3.ca_file === undefined ? undefined : readFileSync(s3.ca_file, "utf8");
  writeIfChanged(files.authorities, own ?? rootCertificates.join("\n"));
  writeIfChanged(files.storeConfig, renderBackrestConfig(config, secrets, 2));
}
