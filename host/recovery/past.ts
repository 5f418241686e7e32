// What a database was: shown, brought back in its place, and undone.
import { randomBytes } from "node:crypto";
import type { DatabaseMeans } from "../database/means.ts";
import type { PreviewRecord } from "../database/record.ts";
import type { InstanceState } from "../instance/roster.ts";
import { walDirectory } from "../wal/wal.ts";
import { startForked } from "./fork.ts";
import { type Recovered, recover } from "./recover.ts";
import { sourcesOf } from "./source.ts";
import type { RecoveryTarget } from "./target.ts";

/** What can be brought back. */
export interface Past {
  /** Shows a database as it was, read-only, under a name of its own. */
  preview(
    database: string,
    target: RecoveryTarget,
    preview: Omit<PreviewRecord, "database" | "instance">,
  ): Promise<Recovered>;
  /**
   * Brings a database back to a moment; clients wait while it is exchanged.
   * @returns the name of the instance it was before, which is kept, stopped
   */
  restore(database: string, target: RecoveryTarget): Promise<string>;
  /** Puts an instance of the same database in its place, and keeps the one it was. */
  bringBack(database: string, instance: string): Promise<string>;
}

/** A name no instance of the host has had. */
function instanceName(database: string): string {
  return `${database}.${randomBytes(4).toString("hex")}`;
}

/** Recoveries of a database, up to what it has written by now. */
function createRecover(means: DatabaseMeans) {
  const { fleet, keeper, wal } = means;
  return async (database: string, target: RecoveryTarget, then: "pause" | "promote") => {
    await wal.takeNow(database);
    const of = keeper.live(database).record;
    const order = { of, name: instanceName(database), target, then };
    const recovered = await recover(fleet, sourcesOf(means, database), order);
    await keeper.adopt(recovered);
    return recovered;
  };
}

/** Those that bring the past back. */
export function pastVerbs(means: DatabaseMeans): Past {
  const { fleet, keeper, safe, files, pair, lane } = means;
  const recoverTo = createRecover(means);

  /** Has another instance serve a database. @returns the one that did, which is stopped */
  async function exchange(database: string, instance: string): Promise<string> {
    const former = keeper.live(database).record.name;
    await keeper.replace(database, instance, () => safe.noteTimelineOf(database, instance));
    safe.follow(database, instance);
    return former;
  }

  /** @throws Error when an instance is not one that was put aside for this database */
  function requireAside(database: string, instance: string): InstanceState {
    const state = keeper.roster.get(instance);
    if (state.record.database === database && state.server === undefined) return state;
    throw new Error(`${instance} is no instance of ${database} that was put aside.`);
  }

  const verbs: Past = {
    async preview(database, target, preview) {
      const recovered = await recoverTo(database, target, "pause");
      const { name: instance } = recovered.record;
      await keeper.lead(preview.line, instance);
      files.previews.put({ ...preview, database: recovered.record.database, instance });
      await pair.apply();
      return recovered;
    },
    async restore(database, target) {
      const recovered = await recoverTo(database, target, "promote");
      return exchange(database, recovered.record.name);
    },
    async bringBack(database, instance) {
      const { record } = requireAside(database, instance);
      const box = keeper.roster.box(instance);
      const copies = walDirectory(safe.repository(database));
      await keeper.adopt({ record, server: await startForked(fleet, box, record, copies) });
      return exchange(database, instance);
    },
  };
  return {
    preview: (database, target, preview) =>
      lane(database, () => verbs.preview(database, target, preview)),
    restore: (database, target) => lane(database, () => verbs.restore(database, target)),
    bringBack: (database, instance) => lane(database, () => verbs.bringBack(database, instance)),
  };
}
