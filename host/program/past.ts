// What a host keeps of its databases' past: base backups as they become due, recoveries, and the
// proof that both work.
import { type BackupMeans, openBackups } from "../base-backup/backups.ts";
import { backupHandlers } from "../base-backup/handlers.ts";
import { measureInstance } from "../database/measure.ts";
import { loadDump } from "../dump/load.ts";
import type { DumpStore } from "../dump/store.ts";
import type { Box } from "../instance/box.ts";
import { boxOf } from "../instance/fleet.ts";
import { recoveryHandlers } from "../recovery/handlers.ts";
import { openRecoveries, type RecoveryMeans } from "../recovery/recoveries.ts";
import { sourcesOf } from "../recovery/source.ts";
import { verificationHandlers } from "../verification/verifications.ts";
import type { Host } from "./open.ts";
import { hostVersion, type Versions } from "./status.ts";

/** What the store is told of backups. */
function storeHooks({ store }: Host): Pick<BackupMeans, "afterBackup" | "beforeRemoval"> {
  return { afterBackup: store?.follow, beforeRemoval: store?.forget };
}

/** An archive is compressed: how much is in it shows as it is loaded. */
async function sayWhetherFull(
  { files }: Host,
  database: string,
  box: Box,
  error: unknown,
): Promise<never> {
  const { storage_bytes_max: ceiling } = files.databases.get(database).spec;
  const { dataBytes, walBytes } = await measureInstance(box);
  if (dataBytes + walBytes < ceiling) throw error;
  throw new Error(`What is in it takes more than the storage ceiling of ${ceiling} bytes.`);
}

/** Opens it. Which databases have no base backup yet is told by `host.made`. */
export async function openPast(host: Host, dumps: DumpStore, versions: Versions) {
  const { means, fleet, awake, keeper, wal, made, store } = host;
  const backupMeans: BackupMeans = { ...means, awake, ...storeHooks(host) };
  const backups = openBackups(backupMeans);
  made.tell = (database) => backups.soon(database, "full");
  const recoveryMeans: RecoveryMeans = {
    ...means,
    loadDump: (id, { record }, owner, signal) => {
      const box = boxOf(fleet, record.name, record.slot, record.size);
      const into = { database: record.database, owner };
      const loaded = loadDump({ fleet, store: dumps }, id, box, into, signal);
      return loaded.catch((error) => sayWhetherFull(host, record.database, box, error));
    },
    ensureBackup: backups.ensure,
    afterExchange: (database) => backups.soon(database, "incr"),
    noteDamage: backups.noteDamage,
  };
  const recoveries = await openRecoveries(recoveryMeans);
  const programs = async () => {
    const { postgres, pgbackrest } = await versions();
    return { postgres, pgbackrest, host: hostVersion };
  };
  const verifying = {
    ...{ fleet, keeper, awake, wal },
    repositoryOf: means.safe.repository,
    sourcesOf: (database: string) => sourcesOf(means, database),
  };
  const handlers = {
    ...backupHandlers(backupMeans, backups, store?.problems),
    ...recoveryHandlers(recoveryMeans, recoveries),
    ...verificationHandlers(verifying, programs),
  };
  return { handlers, backups, recoveries };
}
export type Past = Awaited<ReturnType<typeof openPast>>;
