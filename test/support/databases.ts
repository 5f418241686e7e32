// A host's databases without its HTTP: instances, both poolers, WAL and repositories, all real.
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { Client } from "pg";
import { repositoryOf } from "../../host/base-backup/repository.ts";
import { openDatabases } from "../../host/database/databases.ts";
import {
  type DatabaseFile,
  type DatabaseRecord,
  lineOf,
  openDatabaseFile,
} from "../../host/database/record.ts";
import { type Fleet, fleetPlaces } from "../../host/instance/fleet.ts";
import { type Keeper, openKeeper } from "../../host/instance/keeper.ts";
import { verifierOf } from "../../host/instance/verifier.ts";
import { createPair, type Pair } from "../../host/pooler/pair.ts";
import { createPooler, type Pooler } from "../../host/pooler/pooler.ts";
import { createWal } from "../../host/wal/wal.ts";
import { makePair } from "./certificate.ts";
import { openTestFleet, small } from "./fleet.ts";
import { freePort } from "./host.ts";

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
  return { transaction, session };
}

/** What is wanted of a new one, and how its tenant gets in. */
async function order(name: string): Promise<TestDatabase & { readonly record: DatabaseRecord }> {
  const [login, password] = [`usr_${name}`, randomBytes(24).toString("base64url")];
  const users = [{ name: login, verifier: await verifierOf(password, 4096) }];
  const record: DatabaseRecord = {
    ...{ database: name, users, allowedNetworks: [], suspendAfterSeconds: 0 },
    transaction: { poolSize: 4, clientsMax: 100 },
    session: { poolSize: 4, clientsMax: 4 },
  };
  return { name, login, password, record };
}

const retention = { recoveryDays: 7, baseBackupDays: 30 };

/** The part of a host program that comes and goes, over what goes on without it. */
async function openProgram(
  fleet: Fleet,
  poolers: Readonly<Record<Mode, Pooler>>,
  file: DatabaseFile,
) {
  let pair: Pair | undefined;
  const nobody = async () => undefined;
  const keeper: Keeper = await openKeeper(fleet, async (line) => {
    return (await pair?.hold(line)) ?? nobody;
  });
  const linesFor = (mode: Mode) =>
    file.all().map((record) => lineOf(record, mode, keeper.linkOf(record.database)));
  await Promise.all(modes.map((mode) => poolers[mode].start(linesFor(mode))));
  pair = createPair({ ...poolers, linesFor });
  await pair.letAllGo();
  const wal = createWal(fleet);
  const databases = openDatabases({ fleet, keeper, pair, wal, file, retention });
  const close = async () => {
    await wal.close();
    keeper.close();
  };
  return { keeper, pair, wal, databases, close };
}

/** Starts all of it; nothing is in it yet. */
export async function openTestDatabases() {
  const { fleet, remove } = await openTestFleet();
  const path = join(fleet.directory, "database.json");
  const ports = { transaction: await freePort(), session: await freePort() };
  const poolers = await makePoolers(fleet, ports);
  let file = openDatabaseFile(path);
  let program = await openProgram(fleet, poolers, file);

  async function create(name: string): Promise<TestDatabase> {
    const { record, ...made } = await order(name);
    await program.databases.create(record, small);
    return made;
  }

  async function connect(who: TestDatabase, mode: Mode = "transaction"): Promise<Client> {
    const { name: database, login: user, password } = who;
    const at = { host: "127.0.0.1", port: ports[mode], database };
    const client = new Client({ ...at, user, password });
    client.on("error", () => undefined);
    await client.connect();
    return client;
  }

  return {
    ...{ fleet, order, create, connect },
    get keeper() {
      return program.keeper;
    },
    get pair() {
      return program.pair;
    },
    get databases() {
      return program.databases;
    },
    get wal() {
      return program.wal;
    },
    repositoryOf: (database: string) => repositoryOf(fleet, database, retention),
    /** As a host program does that ends; what it started goes on. */
    leave: () => program.close(),
    recordOf: (database: string) => file.get(database),
    /** As a host program does that is started anew: it knows what is on disk, and what runs. */
    async comeAnew(): Promise<void> {
      await program.close();
      file = openDatabaseFile(path);
      program = await openProgram(fleet, poolers, file);
    },
    async stop(): Promise<void> {
      await program.close();
      await Promise.all(modes.map((mode) => poolers[mode].stop()));
      await remove();
    },
  };
}
