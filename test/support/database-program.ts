// The part of a host program that comes and goes, over what goes on without it: as a test opens it,
// or a process of its own that can be killed.
import { join } from "node:path";
import { openDatabases } from "../../host/database/databases.ts";
import { createGuard } from "../../host/database/guard.ts";
import { databaseHandlers } from "../../host/database/handlers.ts";
import { createLoginLook } from "../../host/database/login-look.ts";
import { openMeans } from "../../host/database/means.ts";
import { linesOf, openDatabaseFiles } from "../../host/database/record.ts";
import { sessionHandlers } from "../../host/database/session.ts";
import { openStorage } from "../../host/database/storage.ts";
import { openDumpStore } from "../../host/dump-store.ts";
import { type Fleet, fleetPlaces } from "../../host/instance/fleet.ts";
import { openGroups } from "../../host/instance/group.ts";
import { type Keeper, openKeeper } from "../../host/instance/keeper.ts";
import { verifierOf } from "../../host/instance/verifier.ts";
import { createPair, type Pair } from "../../host/pooler/pair.ts";
import { createPooler, type Pooler } from "../../host/pooler/pooler.ts";
import type { S3Settings } from "../../host/store/s3.ts";
import { openStore } from "../../host/store/store.ts";
import { createWal } from "../../host/wal/wal.ts";
import { openPast } from "./past.ts";

export const modes = ["transaction", "session"] as const;
export type Mode = (typeof modes)[number];

/** What one has to know of a host to open it. */
export interface ProgramFacts {
  readonly fleet: Omit<Fleet, "groups">;
  readonly ports: Readonly<Record<Mode, number>>;
  readonly certificate: { readonly cert: string; readonly key: string };
  /** Of the poolers' consoles. */
  readonly password: string;
  /** The second copy of all of it. */
  readonly s3?: S3Settings;
}

/** Of every host of a test: one that is rebuilt is the same. */
export const testHost = {
  hostId: "0193f0f0-0000-7000-8000-000000000001",
  identity: "0193f0f0-0000-7000-8000-000000000002",
};

/** Of the dumps of tests. */
const dumpKey = "a key only tests know, of a good length";

/** Where dumps are. */
export const dumpsOf = ({ directory }: Pick<Fleet, "directory">) => join(directory, "dump");

async function makePoolers({ fleet, ports, certificate, password }: ProgramFacts) {
  const { instances, links, bells } = fleetPlaces(fleet);
  const console = { name: "miosa", password, verifier: await verifierOf(password) };
  const [transaction, session] = modes.map((mode) =>
    createPooler({
      binaries: fleet.binaries,
      directory: join(fleet.directory, "pooler"),
      uid: fleet.firstUid === null ? null : fleet.firstUid + 50_000,
      ...{ mode, address: "127.0.0.1", port: ports[mode], clientsMax: 2000 },
      ...{ certificate, requiresTls: false, console },
      reachable: [instances, links, bells],
    }),
  ) as [Pooler, Pooler];
  return { transaction, session };
}

/** What a database may grow beyond its limit: what a test can write. */
const marginBytes = 16 * 1024 ** 2;
const retention = { recoveryDays: 7, baseBackupDays: 30 };

/** Opens it: it knows what is on disk, and what runs. */
export async function openProgram(facts: ProgramFacts) {
  const fleet: Fleet = { ...facts.fleet, groups: openGroups([]) };
  const files = openDatabaseFiles(fleet.directory);
  const poolers: Readonly<Record<Mode, Pooler>> = await makePoolers(facts);
  let pair: Pair | undefined;
  const nobody = async () => undefined;
  const keeper: Keeper = await openKeeper(fleet, async (line) => {
    return (await pair?.hold(line)) ?? nobody;
  });
  const linesFor = (mode: Mode) => linesOf(files, mode, keeper.linkOf);
  await Promise.all(modes.map((mode) => poolers[mode].start(linesFor(mode))));
  pair = createPair({ ...poolers, linesFor });
  await pair.letAllGo();
  const { s3 } = facts;
  const dumps = dumpsOf(fleet);
  const store = s3 && openStore({ ...testHost, fleet, keeper, files, retention, s3, dumps });
  const wal = createWal(fleet, store?.follow);
  const second = store?.source;
  const means = openMeans({ fleet, keeper, pair, wal, files, retention, second });
  const dumpStore = openDumpStore(dumps, dumpKey);
  const past = await openPast(means, dumpStore);
  const databases = { ...openDatabases(means), ...past };
  const guard = createGuard(means, marginBytes);
  const lookAtLogins = createLoginLook(means);
  const onMeasured: Parameters<typeof openStorage>[1]["onMeasured"] = (database, measured) => {
    guard(database, measured);
    void lookAtLogins(database);
  };
  const storage = openStorage(means, { now: Date.now, onMeasured });
  const at = { port: facts.ports.transaction };
  const ways = {
    address: { ...at, host: "127.0.0.1" },
    socket: { ...at, host: poolers.transaction.consoleLogin.host },
  };
  const failureOf = () => undefined;
  const parts = { means, databases, storage, ways, failureOf };
  const commands = { ...databaseHandlers(parts), ...sessionHandlers(means), ...past.handlers };
  const close = async () => {
    await past.backups.close();
    await storage.close();
    await wal.close();
    await store?.close();
    keeper.close();
    for (const mode of modes) await poolers[mode].console.close();
  };
  const shown = { keeper, pair, wal, databases, store, dumpStore, storage, commands, means };
  return { ...shown, files, poolers, linesFor, close };
}
