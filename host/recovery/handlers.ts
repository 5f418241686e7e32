// Commands about recoveries, as the control plane sends them.
import type { CommandHandlers } from "../server/command.ts";
import { copyTables } from "./copy-tables.ts";
import { removeAside } from "./exchange.ts";
import type { Recoveries, RecoveryMeans } from "./recoveries.ts";

type Names = Extract<keyof CommandHandlers, `recovery.${string}` | `aside.${string}`>;

/** Carries them out. */
export function recoveryHandlers(
  means: RecoveryMeans,
  recoveries: Recoveries,
): Pick<CommandHandlers, Names> {
  const done = async (work: Promise<void>) => {
    await work;
    return {};
  };
  return {
    "recovery.start": async ({ recovery_id, request, for: purpose }) => {
      recoveries.start(recovery_id, request, purpose);
      return {};
    },
    "recovery.status": async ({ recovery_id }) => recoveries.registry.reportOf(recovery_id),
    "recovery.open": ({ recovery_id, preview }) => done(recoveries.open(recovery_id, preview)),
    "recovery.exchange": async ({ recovery_id }) => ({
      instance: await recoveries.exchange(recovery_id),
    }),
    "recovery.adopt": ({ recovery_id, database, spec }) =>
      done(recoveries.adopt(recovery_id, { database, spec })),
    "recovery.copy_tables": async ({ recovery_id, tables }) => ({
      rows: [...(await copyTables(means, recoveries.registry.ready(recovery_id).state, tables))],
    }),
    "recovery.end": ({ recovery_id }) => done(recoveries.end(recovery_id)),
    "aside.bring_back": async ({ database, instance }) => ({
      instance: await recoveries.bringBack(database, instance),
    }),
    "aside.remove": ({ database, instance }) =>
      done(means.lane(database, () => removeAside(means, database, instance))),
  };
}
