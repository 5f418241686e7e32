// Recoveries of a test's databases, asked for as a control plane does.
import { randomUUID } from "node:crypto";
import { type BackupMeans, openBackups } from "../../host/base-backup/backups.ts";
import { backupHandlers } from "../../host/base-backup/handlers.ts";
import type { DatabaseMeans } from "../../host/database/means.ts";
import { removePreview } from "../../host/database/remove.ts";
import { createAwake } from "../../host/dump/awake.ts";
import { loadDump } from "../../host/dump/load.ts";
import type { DumpStore } from "../../host/dump-store.ts";
import { boxOf } from "../../host/instance/fleet.ts";
import { recoveryHandlers } from "../../host/recovery/handlers.ts";
import { openRecoveries, type RecoveryMeans } from "../../host/recovery/recoveries.ts";
import type {
  PreviewRequest,
  RecoveryReport,
  RecoveryRequest,
} from "../../src/contract/instance/recovery.ts";
import { until } from "./client.ts";

/** A moment, or all there is. */
export type TestTarget = { readonly time: string } | { readonly latest: true };

/** The moment as Postgres writes it, as a command takes it: microseconds and all. */
export function moment(text: string): string {
  return text.replace(" ", "T").replace("+00", "Z");
}

function targetOf(target: TestTarget): { time: string } {
  // A moment of this clock is cut to a millisecond: what was just committed is after it.
  const time = "time" in target ? moment(target.time) : new Date(Date.now() + 1).toISOString();
  return { time };
}

/** What recoveries and backups of a host work with, as its program puts them together. */
function openParts(means: DatabaseMeans, store: DumpStore) {
  const { fleet, keeper } = means;
  const backupMeans: BackupMeans = { ...means, awake: createAwake(keeper) };
  const backups = openBackups(backupMeans);
  const recoveryMeans: RecoveryMeans = {
    ...means,
    loadDump: (id, { record }, owner, signal) => {
      const box = boxOf(fleet, record.name, record.slot, record.size);
      const { database } = record;
      return loadDump({ fleet, store }, id, box, { database, owner }, signal);
    },
    ensureBackup: backups.ensure,
    afterExchange: (database) => backups.soon(database, "incr"),
    noteDamage: backups.noteDamage,
  };
  return { backups, backupMeans, recoveryMeans };
}

type Handlers = ReturnType<typeof recoveryHandlers>;

/** Asks for recoveries, and waits for them. */
function createAsking(handlers: Handlers) {
  /** Begins a recovery. @returns its id */
  async function begin(request: RecoveryRequest, purpose: "preview" | "restore"): Promise<string> {
    const recovery_id = randomUUID();
    await handlers["recovery.start"]({ recovery_id, request, for: purpose });
    return recovery_id;
  }

  /** What a recovery is once it is over. */
  const over = (recovery_id: string): Promise<RecoveryReport> =>
    until(
      "a recovery",
      () => handlers["recovery.status"]({ recovery_id }),
      ({ state }) => state === "ready" || state === "failed",
      120,
    );

  /** Recovers, and fails when that does not go. @returns its id */
  async function recover(request: RecoveryRequest, purpose: "preview" | "restore") {
    const id = await begin(request, purpose);
    const { state, error } = await over(id);
    if (state !== "ready") throw new Error(error ?? state);
    return id;
  }

  return { begin, over, recover };
}

/** Opens what a host keeps of the past of its databases. */
export async function openPast(means: DatabaseMeans, store: DumpStore) {
  const { backups, backupMeans, recoveryMeans } = openParts(means, store);
  const recoveries = await openRecoveries(recoveryMeans);
  const handlers = {
    ...backupHandlers(backupMeans, backups),
    ...recoveryHandlers(recoveryMeans, recoveries),
  };
  const asking = createAsking(handlers);
  return {
    ...{ handlers, backups, recoveries, ...asking },
    backUp: backups.take,
    async preview(database: string, target: TestTarget, preview: PreviewRequest): Promise<string> {
      const id = await asking.recover({ database, target: targetOf(target) }, "preview");
      await handlers["recovery.open"]({ recovery_id: id, preview });
      return id;
    },
    removePreview: (line: string) => means.lane(line, () => removePreview(means, line)),
    /** @returns the instance that was put aside */
    async restore(database: string, target: TestTarget): Promise<string> {
      const id = await asking.recover({ database, target: targetOf(target) }, "restore");
      return (await handlers["recovery.exchange"]({ recovery_id: id })).instance;
    },
    /** @returns the instance that was put aside */
    async bringBack(database: string, instance: string): Promise<string> {
      return (await handlers["aside.bring_back"]({ database, instance })).instance;
    },
  };
}
