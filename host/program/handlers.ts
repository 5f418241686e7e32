// What carries out each command on this host.
import { statSync } from "node:fs";
import { databaseHandlers } from "../database/handlers.ts";
import { sessionHandlers } from "../database/session.ts";
import { openDumps } from "../dump/dump.ts";
import { openMark } from "../mark.ts";
import { logHandlers } from "../observe/log.ts";
import { type Metrics, openMetrics } from "../observe/metric.ts";
import { sourcesOf } from "../recovery/source.ts";
import type { CommandHandlers } from "../server/command.ts";
import { verificationHandlers } from "../verification/verifications.ts";
import type { Attention } from "./attend.ts";
import { layout } from "./config.ts";
import type { Host } from "./open.ts";
import { modes, probeWays } from "./poolers.ts";
import type { Opened } from "./serve.ts";
import { createVersions, hostVersion, statusHandlers, type Versions } from "./status.ts";

type OwnCommand = "incidents" | "mark" | "report";

/** What happened on the host by itself. */
function ownHandlers({ config, incidents, journal }: Host): Pick<CommandHandlers, OwnCommand> {
  const takeMark = openMark(layout(config.directory).mark);
  return {
    incidents: async ({ after_seq, limit }) => ({
      incidents: [...incidents.after(after_seq, limit)],
      last_seq: incidents.lastSeq(),
    }),
    mark: async ({ mark, expected, adopt }) => takeMark(mark, expected, adopt),
    report: async ({ after_seq, limit }) => ({
      transitions: [...journal.after(after_seq, limit)],
      last_seq: journal.lastSeq(),
    }),
  };
}

/** Instances that were put aside for a database, the newest first. */
function asideOf({ keeper }: Host, database: string): readonly string[] {
  const live = keeper.nameAt(database);
  // A record is written when what is wanted of an instance changes.
  const changedAt = (name: string) =>
    statSync(keeper.roster.box(name).place.record, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return keeper.roster
    .all()
    .filter(({ record }) => record.database === database && record.name !== live)
    .filter(({ record }) => record.wanted === "stopped")
    .map(({ record }) => ({ name: record.name, at: changedAt(record.name) }))
    .toSorted((one, other) => other.at - one.at)
    .map(({ name }) => name);
}

/** Numbers of all databases. */
function metricsOf({ config, fleet, keeper, files, poolers, storage }: Host): Metrics {
  return openMetrics({
    ...{ fleet, keeper, directory: layout(config.directory).metrics, now: Date.now },
    databases: () => files.databases.all().map(({ database }) => database),
    consoles: () => modes.map((mode) => poolers[mode].console),
    sizeOf: (database) => storage.of(keeper.nameAt(database) ?? "")?.dataBytes ?? null,
  });
}

/** Proofs that backups can be restored. */
function verificationsOf({ fleet, keeper, awake, wal, means }: Host, versions: Versions) {
  const parts = {
    ...{ fleet, keeper, awake, wal, repositoryOf: means.safe.repository },
    sourcesOf: (database: string) => sourcesOf(means, database),
  };
  return verificationHandlers(parts, async () => {
    const { postgres, pgbackrest } = await versions();
    return { postgres, pgbackrest, host: hostVersion };
  });
}

/** Makes the handlers of all commands, and what they share with who keeps the host. */
export function createHandlers(
  host: Host,
  { failureOf }: Pick<Attention, "failureOf">,
): Pick<Opened, "handlers" | "dumps"> & {
  readonly metrics: Metrics;
} {
  const { config, fleet, keeper, means, databases, storage, poolers } = host;
  const versions = createVersions(config);
  const dumps = openDumps({ fleet, keeper, store: host.dumps, awake: host.awake });
  const metrics = metricsOf(host);
  const logs = { transaction: poolers.transaction.log, session: poolers.session.log };
  const handlers: CommandHandlers = {
    ...statusHandlers({ ...host, versions }),
    ...verificationsOf(host, versions),
    ...ownHandlers(host),
    ...databaseHandlers({ means, databases, storage, ways: probeWays(config), failureOf }),
    ...sessionHandlers(means),
    ...host.past.handlers,
    ...dumps.handlers,
    ...metrics.handlers,
    ...logHandlers({
      keeper,
      asideOf: (database) => asideOf(host, database),
      poolerLogs: () => logs,
    }),
  };
  return { handlers, dumps, metrics };
}
