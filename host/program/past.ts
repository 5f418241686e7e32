// What a host keeps of the past of its databases: base backups, and recoveries from them.
import { type BackupMeans, type Backups, openBackups } from "../base-backup/backups.ts";
import { backupHandlers } from "../base-backup/handlers.ts";
import type { DatabaseMeans } from "../database/means.ts";
import type { Awake } from "../dump/awake.ts";
import { loadDump } from "../dump/load.ts";
import type { DumpStore } from "../dump-store.ts";
import { boxOf } from "../instance/fleet.ts";
import { recoveryHandlers } from "../recovery/handlers.ts";
import { openRecoveries, type Recoveries, type RecoveryMeans } from "../recovery/recoveries.ts";
import type { CommandHandlers } from "../server/command.ts";
import type { Store } from "../store/store.ts";

/** What it is made of. */
export interface PastParts {
  readonly means: DatabaseMeans;
  readonly awake: Awake;
  readonly dumps: DumpStore;
  /** The second copy of everything, where there is one. */
  readonly store: Store | undefined;
}

/** The past of a host's databases. */
export interface Past {
  readonly backups: Backups;
  readonly recoveries: Recoveries;
  readonly handlers: Pick<CommandHandlers, PastCommand>;
}

type PastCommand = keyof (ReturnType<typeof backupHandlers> & ReturnType<typeof recoveryHandlers>);

/** Opens it, and removes what a former host program left half done. */
export async function openPast({ means, awake, dumps, store }: PastParts): Promise<Past> {
  const { fleet } = means;
  const second = store && { afterBackup: store.follow, beforeGone: store.forget };
  const backupMeans: BackupMeans = { ...means, awake, ...second };
  const backups = openBackups(backupMeans);
  const recoveryMeans: RecoveryMeans = {
    ...means,
    loadDump: (id, { record: { name, slot, size, database } }, owner, signal) =>
      loadDump(
        { fleet, store: dumps },
        ...([id, boxOf(fleet, name, slot, size), { database, owner }, signal] as const),
      ),
    ensureBackup: backups.ensure,
    afterExchange: (database) => backups.soon(database, "incr"),
    noteDamage: backups.noteDamage,
  };
  const recoveries = await openRecoveries(recoveryMeans);
  const handlers = {
    ...backupHandlers(backupMeans, backups, () => store?.problems() ?? []),
    ...recoveryHandlers(recoveryMeans, recoveries),
  };
  return { backups, recoveries, handlers };
}
