// A host's databases without its HTTP: instances, both poolers, WAL and repositories, all real.
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { Client } from "pg";
import { openDatabases } from "../../host/database/databases.ts";
import { createGuard } from "../../host/database/guard.ts";
import { databaseHandlers } from "../../host/database/handlers.ts";
import { openMeans } from "../../host/database/means.ts";
import {
  type DatabaseFiles,
  linesOf,
  openDatabaseFiles,
  type PreviewRecord,
} from "../../host/database/record.ts";
import { sessionHandlers } from "../../host/database/session.ts";
import { settleAll } from "../../host/database/settle.ts";
import { openStorage } from "../../host/database/storage.ts";
import { type Fleet, fleetPlaces } from "../../host/instance/fleet.ts";
import { type Keeper, openKeeper } from "../../host/instance/keeper.ts";
import { verifierOf } from "../../host/instance/verifier.ts";
import { createPair, type Pair } from "../../host/pooler/pair.ts";
import { createPooler, type Pooler } from "../../host/pooler/pooler.ts";
import type { Line } from "../../host/pooler/render.ts";
import { pastVerbs } from "../../host/recovery/past.ts";
import type { S3Settings } from "../../host/store/s3.ts";
import { openStore } from "../../host/store/store.ts";
import { createWal } from "../../host/wal/wal.ts";
import type { DatabaseSpec } from "../../src/contract/instance/spec.ts";
import { makePair } from "./certificate.ts";
import { openTestFleet } from "./fleet.ts";
import { freePort } from "./host.ts";
import { smallSpec } from "./spec.ts";

/** A database of a test, and how its tenant gets in. */
export interface TestDatabase {
  readonly name: string;
  readonly login: string;
  readonly password: string;
}

const modes = ["transaction", "session"] as const;
type Mode = (typeof modes)[number];

async function makePoolers(fleet: Fleet, ports: Readonly<Record<Mode, number>>) {
  const { instances, links, bells } = fleetPlaces(fleet);
  const certificate = makePair(fleet.directory, "pooler");
  const password = randomBytes(24).toString("base64url");
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
  return { transaction, session, ports };
}

/** What is wanted of a new one, and how its tenant gets in. */
async function order(name: string): Promise<TestDatabase & { readonly spec: DatabaseSpec }> {
  const [login, password] = [`usr_${name}`, randomBytes(24).toString("base64url")];
  const spec = smallSpec(login, await verifierOf(password, 4096));
  return { name, login, password, spec };
}

type Poolers = Readonly<Record<Mode, Pooler>> & {
  readonly ports: Readonly<Record<Mode, number>>;
};

/** What a database may grow beyond its limit: what a test can write. */
const marginBytes = 16 * 1024 ** 2;
const retention = { recoveryDays: 7, baseBackupDays: 30 };

/** Of every host of a test: one that is rebuilt is the same. */
export const testHost = {
  hostId: "0193f0f0-0000-7000-8000-000000000001",
  identity: "0193f0f0-0000-7000-8000-000000000002",
};

/** Where dumps are. */
const dumpsOf = ({ directory }: Fleet) => join(directory, "dump");

/** The part of a host program that comes and goes, over what goes on without it. */
async function openProgram(
  fleet: Fleet,
  { ports, ...poolers }: Poolers,
  files: DatabaseFiles,
  s3: S3Settings | undefined,
) {
  let pair: Pair | undefined;
  const nobody = async () => undefined;
  const keeper: Keeper = await openKeeper(fleet, async (line) => {
    return (await pair?.hold(line)) ?? nobody;
  });
  const linesFor = (mode: Mode) => linesOf(files, mode, keeper.linkOf);
  await Promise.all(modes.map((mode) => poolers[mode].start(linesFor(mode))));
  pair = createPair({ ...poolers, linesFor });
  await pair.letAllGo();
  const dumps = dumpsOf(fleet);
  const store = s3 && openStore({ ...testHost, fleet, keeper, files, retention, s3, dumps });
  const wal = createWal(fleet, store?.follow);
  const second = store?.source;
  const means = openMeans({ fleet, keeper, pair, wal, files, retention, second });
  const databases = { ...openDatabases(means), ...pastVerbs(means) };
  const storage = openStorage(means, {
    now: Date.now,
    onMeasured: createGuard(means, marginBytes),
  });
  const at = { port: ports.transaction };
  const ways = {
    address: { ...at, host: "127.0.0.1" },
    socket: { ...at, host: poolers.transaction.consoleLogin.host },
  };
  const parts = { means, databases, storage, ways };
  const commands = { ...databaseHandlers(parts), ...sessionHandlers(means) };
  const close = async () => {
    await storage.close();
    await wal.close();
    await store?.close();
    keeper.close();
  };
  return { keeper, pair, databases, store, storage, commands, means, close };
}

function previewOf(
  { logins, transaction, session, allowed_addresses }: DatabaseSpec,
  line: string,
): Omit<PreviewRecord, "database" | "instance"> {
  const expiresAt = new Date(Date.now() + 3600_000).toISOString();
  const [login = { name: "", verifier: "" }] = logins;
  return { line, login, limits: { transaction, session, allowed_addresses }, expiresAt };
}

/** Logs in as a tenant. */
async function connectTo(port: number, who: TestDatabase): Promise<Client> {
  const { name: database, login: user, password } = who;
  const client = new Client({ host: "127.0.0.1", port, database, user, password });
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

async function restartAll(poolers: Poolers, linesFor: (mode: Mode) => readonly Line[]) {
  for (const mode of modes) {
    await poolers[mode].stop();
    await poolers[mode].start(linesFor(mode));
  }
}

type Stop = () => Promise<void>;

async function stopAll(close: Stop, poolers: Poolers, remove: Stop): Promise<void> {
  await close();
  await Promise.all(modes.map((mode) => poolers[mode].stop()));
  await remove();
}

/** What differs between hosts of a test. */
export interface TestDatabasesOptions {
  /** The second copy of all of it. */
  readonly s3?: S3Settings;
  /** One that is there already, with the ports it was served at. */
  readonly over?: {
    readonly fleet: Fleet;
    readonly ports: Readonly<Record<Mode, number>>;
    readonly remove: () => Promise<void>;
  };
}

/** Starts all of it; nothing is in it yet. */
export async function openTestDatabases({ s3, over }: TestDatabasesOptions = {}) {
  const { fleet, remove } = over ?? (await openTestFleet());
  const ports = over?.ports ?? { transaction: await freePort(), session: await freePort() };
  const poolers = await makePoolers(fleet, ports);
  let files = openDatabaseFiles(fleet.directory);
  let program = await openProgram(fleet, poolers, files, s3);

  async function create(name: string): Promise<TestDatabase> {
    const { spec, ...made } = await order(name);
    await program.databases.create(name, spec);
    return made;
  }

  const connect = (who: TestDatabase, mode: Mode = "transaction") => connectTo(ports[mode], who);

  return {
    ...{ fleet, order, create, connect, poolers, ports, remove, dumps: dumpsOf(fleet) },
    get store() {
      return program.store;
    },
    get keeper() {
      return program.keeper;
    },
    get pair() {
      return program.pair;
    },
    get databases() {
      return program.databases;
    },
    get means() {
      return program.means;
    },
    /** As a host program does that ends; what it started goes on. */
    leave: () => program.close(),
    get storage() {
      return program.storage;
    },
    /** What the control plane may send. */
    get commands() {
      return program.commands;
    },
    /** Settles what was left half done, as a host program does that comes anew. */
    settle: () => settleAll(program.means),
    recordOf: (database: string) => files.databases.get(database),
    /** A preview of a database, to be read by its present login. */
    previewOf: (database: string, line: string) =>
      previewOf(files.databases.get(database).spec, line),
    /** As a host program does that is started anew: it knows what is on disk, and what runs. */
    async comeAnew(): Promise<void> {
      await program.close();
      files = openDatabaseFiles(fleet.directory);
      program = await openProgram(fleet, poolers, files, s3);
    },
    /** Ends the poolers, with all of their clients, and starts them as a host program does. */
    restartPoolers: () =>
      restartAll(poolers, (mode) => linesOf(files, mode, program.keeper.linkOf)),
    stop: () => stopAll(program.close, poolers, remove),
  };
}
