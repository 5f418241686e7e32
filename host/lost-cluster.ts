// Whether a data directory that is not there has been there before. A cluster's repositories
// outlive its disk: where one of them knows a Postgres, a new and empty one is not made in its
// place.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { createBackrest } from "./backrest.ts";
import { backrestFiles, type Repository, stanza } from "./backrest-config.ts";
import { withoutContent } from "./binary.ts";
import { type HostConfig, layout } from "./config.ts";
import { messageOf } from "./log.ts";
import type { Secrets } from "./secret.ts";

const Info = z.array(
  z.object({
    db: z.array(z.object({ "system-id": z.number() })).default([]),
    backup: z.array(z.object({ timestamp: z.object({ stop: z.int() }) })).default([]),
    repo: z.array(z.object({ status: z.object({ code: z.int(), message: z.string() }) })),
  }),
);
// Nothing is there yet: no stanza, or one without backups.
const emptyCodes: ReadonlySet<number> = new Set([0, 1, 2]);

/** What a repository knows of a cluster. */
interface Known {
  readonly systemIdentifier: string;
  readonly lastBackupAt: string;
}

function readInfo(text: string): Known | null {
  // A system identifier has more digits than a JavaScript number.
  const exact = /"system-id":(\d+)/.exec(text)?.[1];
  const [cluster] = Info.parse(JSON.parse(text.replaceAll(/\p{Cc}/gu, " ")));
  const broken = cluster?.repo.find(({ status }) => !emptyCodes.has(status.code));
  if (broken !== undefined) throw new Error(withoutContent(broken.status.message));
  if (exact === undefined || cluster === undefined || cluster.db.length === 0) return null;
  const last = cluster.backup.at(-1)?.timestamp.stop;
  const lastBackupAt = last === undefined ? "none" : new Date(last * 1000).toISOString();
  return { systemIdentifier: exact, lastBackupAt };
}

function refusal(config: HostConfig, what: string, known: Known, settings: string): Error {
  const { data } = layout(config.directory);
  return new Error(
    `${data} is gone, but ${what} holds the Postgres with the system identifier ` +
      `${known.systemIdentifier} (last base backup: ${known.lastBackupAt}). A new, empty cluster ` +
      `is not made in its place. Bring it back: pgbackrest --config=${settings} ` +
      `--stanza=${stanza} restore; then start again. For another cluster, give it another ` +
      "cluster_id, directory and backup.s3.prefix.",
  );
}

/**
 * Looks into the cluster's repositories before its data directory is made.
 * @throws Error when one knows a Postgres, or cannot be asked whether it does
 */
export async function refuseLostCluster(config: HostConfig, secrets: Secrets): Promise<void> {
  const { data, repository } = layout(config.directory);
  if (existsSync(join(data, "PG_VERSION"))) return;
  const { system_identifier: registered } = config;
  if (registered !== undefined) {
    throw new Error(
      `${data} is gone, which held the Postgres that is registered (system identifier ` +
        `${registered}). A new, empty cluster is not made in its place. Bring the disk back, or ` +
        "the cluster from its repository with pgbackrest restore. For another cluster, give it " +
        "another cluster_id and directory and take system_identifier away.",
    );
  }
  const files = backrestFiles(config);
  const look = async (number: Repository, what: string, settings: string) => {
    let known: Known | null;
    try {
      known = readInfo(await createBackrest(config, secrets, number)("info", ["--output=json"]));
    } catch (error) {
      throw new Error(
        `${data} is not there, and ${what} cannot be asked whether it holds this cluster: ` +
          `${messageOf(error)} A new, empty cluster is not made before that is known.`,
      );
    }
    if (known !== null) throw refusal(config, what, known, settings);
  };
  if (existsSync(join(repository, "archive", stanza, "archive.info"))) {
    await look(1, `the repository ${repository}`, files.config);
  }
  const { s3 } = config.backup;
  if (s3 === undefined) return;
  await look(2, `the store (bucket ${s3.bucket}, ${s3.prefix})`, files.storeConfig);
}
