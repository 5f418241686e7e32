// Brings up what a host is made of: instances, poolers, WAL and databases. What runs already, since
// a former host program ended without them, is taken over.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Retention } from "../base-backup/repository.ts";
import { prepareCertificate } from "../certificate.ts";
import { openDatabases } from "../database/databases.ts";
import { createGuard } from "../database/guard.ts";
import { createLoginLook } from "../database/login-look.ts";
import { type DatabaseMeans, openMeans } from "../database/means.ts";
import { linesOf, openDatabaseFiles } from "../database/record.ts";
import { type Storage, watchStorage } from "../database/storage.ts";
import { createAwake } from "../dump/awake.ts";
import { openDumpStore } from "../dump-store.ts";
import { makePrivateDirectories } from "../file.ts";
import { openIncidents } from "../incident.ts";
import { makePassable } from "../instance/files.ts";
import { type Fleet, fleetPlaces } from "../instance/fleet.ts";
import { openGroups } from "../instance/group.ts";
import { type Keeper, openKeeper } from "../instance/keeper.ts";
import type { LineChange } from "../instance/serve.ts";
import { type Journal, openJournal } from "../journal.ts";
import { planOf } from "../plan.ts";
import { createPair, type Pair } from "../pooler/pair.ts";
import { openStore, type Store } from "../store/store.ts";
import { createWal } from "../wal/wal.ts";
import { type HostConfig, layout } from "./config.ts";
import { openPast, type Past } from "./past.ts";
import { type Mode, makePoolers, modes, type Poolers } from "./poolers.ts";
import { keepRegistration } from "./registration.ts";
import { dumpKey, keepSecrets } from "./secret.ts";
import { runTool } from "./tool.ts";

/** Brings the certificate up to date. @returns whether it is another one */
export function renewCertificate(config: HostConfig): Promise<boolean> {
  const { tls } = layout(config.directory);
  const openssl = (args: readonly string[]) =>
    runTool(config.binaries, ["/usr/bin/openssl", ...args], tls);
  return prepareCertificate(config, openssl);
}

/** The certificate in use, in PEM. */
export function readCertificate({ directory }: Pick<HostConfig, "directory">) {
  const { tls } = layout(directory);
  const read = (name: string) => readFileSync(join(tls, name), "utf8");
  return { cert: read("server.crt"), key: read("server.key") };
}

function makeDirectories(directory: string): void {
  const { tls, metrics, dumps } = layout(directory);
  makePassable(directory);
  makePrivateDirectories(tls, metrics, dumps);
}

/** The instances of a host, with the secret its keys are made of. */
export function fleetOf(config: HostConfig, secret: string): Fleet {
  const { binaries, directory, first_uid: firstUid, cgroup = [] } = config;
  const groups = openGroups(Array.isArray(cgroup) ? cgroup : [cgroup]);
  return { binaries, directory, firstUid, groups, secret };
}

/** What there is before anything runs. */
export async function openGround(config: HostConfig) {
  const { directory } = config;
  const paths = layout(directory);
  makeDirectories(directory);
  const secrets = keepSecrets(paths.secrets, config.backup.encryption_key);
  await renewCertificate(config);
  const identity = keepRegistration(config);
  return {
    ...{ config, secrets, identity, plan: planOf(config), startedAt: new Date() },
    fleet: fleetOf(config, secrets.host_secret),
    incidents: openIncidents(paths.incidents, Date.now),
    files: openDatabaseFiles(directory),
    journal: openJournal(paths.transitions),
  };
}
export type Ground = Awaited<ReturnType<typeof openGround>>;

async function startPoolers(
  ground: Ground,
  linesFor: Parameters<typeof createPair>[0]["linesFor"],
) {
  const { config, secrets, fleet, plan } = ground;
  const { instances, links, bells } = fleetPlaces(fleet);
  const poolers: Poolers = await makePoolers({
    ...{ config, secrets, clientsMax: plan.clientsMax },
    certificate: readCertificate(config),
    reachable: [instances, links, bells],
  });
  const starts = modes.map((mode) => poolers[mode].start(linesFor(mode)));
  // Both have ended, well or not, before anything is stopped again.
  for (const start of await Promise.allSettled(starts)) {
    if (start.status === "rejected") throw start.reason;
  }
  return poolers;
}

/** Notes each suspension and its end, however it came to either. */
function noteIn(journal: Journal): LineChange {
  return (line, to) => {
    // Of one that never slept there is nothing to tell.
    const before = journal.lastOf(line) ?? "woken";
    if (before !== to) journal.record(line, to, Date.now());
  };
}

/** The second copy of everything, where there is to be one. */
function openSecond(
  { config, fleet, files, identity }: Ground,
  keeper: Keeper,
  retention: Retention,
): Store | undefined {
  const { s3 } = config.backup;
  if (s3 === undefined) return undefined;
  const { dumps } = layout(config.directory);
  const hostId = config.host_id;
  return openStore({ fleet, keeper, files, retention, s3, hostId, identity, dumps });
}

/** What databases take, and what is done about it. */
function openMeasures(means: DatabaseMeans): Storage {
  const [guard, lookAtLogins] = [createGuard(means), createLoginLook(means)];
  return watchStorage(means, {
    now: Date.now,
    onMeasured: (database, measured) => {
      guard(database, measured);
      void lookAtLogins(database);
    },
  });
}

/** Has all of it run. */
export async function openHost(ground: Ground) {
  const { config, fleet, files } = ground;
  const { recovery_days: recoveryDays, base_backup_days: baseBackupDays } = config.backup;
  let pair: Pair | undefined;
  const nobody = async () => undefined;
  const keeper = await openKeeper(fleet, async (line) => (await pair?.hold(line)) ?? nobody, {
    holdUnused: async (line) => pair?.holdUnused(line),
    onChange: noteIn(ground.journal),
  });
  const linesFor = (mode: Mode) => linesOf(files, mode, keeper.linkOf);
  const poolers = await startPoolers(ground, linesFor);
  pair = createPair({ ...poolers, linesFor });
  await pair.letAllGo();
  const retention = { recoveryDays, baseBackupDays };
  const store = openSecond(ground, keeper, retention);
  const wal = createWal(fleet, store?.follow);
  const second = store?.source;
  let past: Past | undefined;
  const afterCreate = (database: string) => past?.backups.soon(database, "full");
  const means = openMeans({ fleet, keeper, pair, wal, files, retention, second, afterCreate });
  const databases = openDatabases(means);
  const storage = openMeasures(means);
  const awake = createAwake(keeper);
  const dumps = openDumpStore(layout(config.directory).dumps, dumpKey(ground.secrets));
  past = await openPast({ means, awake, dumps, store });
  return {
    ...{ ...ground, keeper, poolers, linesFor, pair, wal, store, means },
    ...{ databases, storage, awake, dumps, past },
  };
}
export type Host = Awaited<ReturnType<typeof openHost>>;
