// pgBackRest's one settings file, and the command Postgres archives with.
import { join } from "node:path";
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
    spool: join(backrest, "spool"),
    lock: join(backrest, "lock"),
    log: join(backrest, "log"),
    /** What became of base backups that were asked for. */
    backups: join(backrest, "base-backup.json"),
    /** Commits known by their time, for the ends of the recovery window. */
    heartbeats: join(backrest, "heartbeat.jsonl"),
  };
}

type Settings = Record<string, string | number>;

function localRepository(config: HostConfig, secrets: Secrets): Settings {
  return {
    "repo1-path": layout(config.directory).repository,
    ...repositorySettings(config, secrets, 1),
  };
}

function s3Repository(config: HostConfig, secrets: Secrets): Settings {
  const { s3 } = config.backup;
  if (s3 === undefined) return {};
  return {
    "repo2-type": "s3",
    "repo2-path": s3.prefix,
    "repo2-s3-bucket": s3.bucket,
    "repo2-s3-endpoint": s3.endpoint,
    "repo2-s3-region": s3.region,
    "repo2-s3-uri-style": s3.uri_style,
    "repo2-s3-key": s3.key,
    "repo2-s3-key-secret": s3.key_secret,
    "repo2-storage-port": s3.port,
    ...(s3.ca_file === undefined ? {} : { "repo2-storage-ca-file": s3.ca_file }),
    ...repositorySettings(config, secrets, 2),
  };
}

// WAL is kept for as many full backups as there are days in the recovery window, and one more:
// the window then begins at a backup that is older than its first second.
function repositorySettings(config: HostConfig, secrets: Secrets, repository: 1 | 2): Settings {
  const { base_backup_days: days, recovery_days: recoveryDays } = config.backup;
  return Object.fromEntries(
    Object.entries({
      "cipher-type": "aes-256-cbc",
      "cipher-pass": secrets.repository_key,
      bundle: "y",
      block: "y",
      "retention-full-type": "time",
      "retention-full": days,
      "retention-archive-type": "full",
      "retention-archive": recoveryDays + 1,
    }).map(([name, value]) => [`repo${repository}-${name}`, value]),
  );
}

/** The whole of pgbackrest.conf. It holds secrets: 0600. */
export function renderBackrestConfig(config: HostConfig, secrets: Secrets): string {
  const { data, run } = layout(config.directory);
  const files = backrestFiles(config);
  const global: Settings = {
    ...localRepository(config, secrets),
    ...s3Repository(config, secrets),
    "compress-type": "zst",
    "compress-level": 3,
    "start-fast": "y",
    "archive-async": "y",
    "process-max": 2,
    "spool-path": files.spool,
    "lock-path": files.lock,
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

/** Writes it. */
export function configureBackrest(config: HostConfig, secrets: Secrets): void {
  writeIfChanged(backrestFiles(config).config, renderBackrestConfig(config, secrets));
}
