// Makes a host anew, on a machine that has nothing of it, from the object store and its secret:
//
//   node host/program/rebuild.ts --config FILE [--secrets FILE]
//
// The configuration is the host's own, with its backup.s3 and an empty directory. The secret is its
// backup.encryption_key; where it has none, --secrets names a copy of its secret.json. The machine
// it was on must be gone, or its host program stopped for good. Says of each database which moment
// it came back to; begun again after an interruption it goes on. Ends with 2 when some did not come
// back, which may be tried again the same way. Then the host program is started as ever.
import { parseArgs } from "node:util";
import { lockDirectory } from "../lock.ts";
import { log, messageOf } from "../log.ts";
import { storeProblem } from "../store/problem.ts";
import type { Rebuilt } from "../store/progress.ts";
import { rebuild } from "../store/rebuild.ts";
import { type HostConfig, layout, readConfig } from "./config.ts";
import { refuseFormer } from "./former.ts";
import { fleetOf } from "./open.ts";
import { registerAs } from "./registration.ts";
import { hostSecretIn, keepSecrets } from "./secret.ts";

/** What became of a database, in words. */
function say({ database, outcome, lastCommitAt, baseBackupEndedAt, lsn, detail }: Rebuilt): string {
  if (outcome === "failed") return `${database}: failed: ${detail}`;
  if (outcome === "kept") return `${database}: had been removed; its backups are kept`;
  const moment =
    lastCommitAt === null
      ? `its base backup of ${baseBackupEndedAt}, after which nothing was committed`
      : `its last commit that reached the store, of ${lastCommitAt}`;
  return `${database}: is back at ${moment} (LSN ${lsn})`;
}

function secretOf({ backup }: HostConfig, file: string | undefined): string {
  const secret = file === undefined ? backup.encryption_key : hostSecretIn(file);
  if (secret !== undefined) return secret;
  throw new Error("Give the host's secret: backup.encryption_key, or --secrets FILE.");
}

async function run(config: HostConfig, secretsFile: string | undefined): Promise<boolean> {
  const { directory, host_id: hostId, backup } = config;
  if (backup.s3 === undefined) throw new Error("backup.s3 does not say which store has the host.");
  const secret = secretOf(config, secretsFile);
  refuseFormer(directory);
  await lockDirectory(directory);
  const { databases, lostDumps } = await rebuild({
    ...{ hostId, s3: backup.s3, fleet: fleetOf(config, secret) },
    dumps: layout(directory).dumps,
    retention: { recoveryDays: backup.recovery_days, baseBackupDays: backup.base_backup_days },
    identified(identity) {
      registerAs(config, identity);
      keepSecrets(layout(directory).secrets, secret);
    },
    told: (rebuilt) => process.stdout.write(`${say(rebuilt)}\n`),
  });
  for (const [id, error] of lostDumps) {
    process.stdout.write(`dump ${id}: failed: ${storeProblem(error)}\n`);
  }
  const count = (wanted: Rebuilt["outcome"]) =>
    databases.filter(({ outcome }) => outcome === wanted).length;
  const [recovered, kept, failed] = [count("recovered"), count("kept"), count("failed")];
  const words = `${recovered} databases are back, ${kept} removed ones are kept, ${failed} failed`;
  process.stdout.write(`${words}\n`);
  return failed === 0 && lostDumps.size === 0;
}

process.umask(0o022);
try {
  const options = { config: { type: "string" }, secrets: { type: "string" } } as const;
  const { config, secrets } = parseArgs({ options }).values;
  if (config === undefined) throw new Error("Say which configuration: --config FILE.");
  process.exit((await run(readConfig(config), secrets)) ? 0 : 2);
} catch (error) {
  log("error", storeProblem(messageOf(error)));
  process.exit(1);
}
