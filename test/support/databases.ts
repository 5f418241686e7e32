// A host's databases without its HTTP: instances, both poolers, WAL and repositories, all real.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Client } from "pg";
import { settleAll } from "../../host/database/settle.ts";
import type { Fleet } from "../../host/instance/fleet.ts";
import { verifierOf } from "../../host/instance/verifier.ts";
import type { PreviewRequest } from "../../src/contract/instance/recovery.ts";
import type { DatabaseSpec } from "../../src/contract/instance/spec.ts";
import { makePair } from "./certificate.ts";
import { dumpsOf, type Mode, modes, openProgram, type ProgramFacts } from "./database-program.ts";
import { openTestFleet } from "./fleet.ts";
import { freePort } from "./host.ts";
import { smallSpec } from "./spec.ts";

/** A database of a test, and how its tenant gets in. */
export interface TestDatabase {
  readonly name: string;
  readonly login: string;
  readonly password: string;
}

/** What is wanted of a new one, and how its tenant gets in. */
async function order(name: string): Promise<TestDatabase & { readonly spec: DatabaseSpec }> {
  const [login, password] = [`usr_${name}`, randomBytes(24).toString("base64url")];
  const spec = smallSpec(login, await verifierOf(password, 4096));
  return { name, login, password, spec };
}

/** What tests look at of the program there is. */
function shownBy(program: () => Awaited<ReturnType<typeof openProgram>>) {
  return {
    get poolers() {
      return program().poolers;
    },
    get keeper() {
      return program().keeper;
    },
    get pair() {
      return program().pair;
    },
    get databases() {
      return program().databases;
    },
    get dumpStore() {
      return program().dumpStore;
    },
    get storage() {
      return program().storage;
    },
    get store() {
      return program().store;
    },
    get means() {
      return program().means;
    },
    /** As a host program does that ends; what it started goes on. */
    leave: () => program().close(),
    /** What the control plane may send. */
    get commands() {
      return program().commands;
    },
    /** Settles what was left half done, as a host program does that comes anew. */
    settle: () => settleAll(program().means),
    recordOf: (database: string) => program().files.databases.get(database),
    /** A preview of a database, to be read by its present login. */
    previewOf(database: string, name: string): PreviewRequest {
      const { spec } = program().files.databases.get(database);
      const { logins, transaction, session, allowed_addresses } = spec;
      const [login = { name: "", verifier: "" }] = logins;
      const limits = { transaction, session, allowed_addresses };
      return { name, login, limits, keep_seconds: 3600 };
    },
  };
}

const childProgram = new URL("./database-child.ts", import.meta.url);

/** Runs one verb of a database in a program of its own, which is killed so long after it began. */
async function runKilled(
  facts: ProgramFacts,
  [verb, ...args]: readonly [string, ...unknown[]],
  milliseconds: number,
): Promise<void> {
  const order = join(facts.fleet.directory, "order.json");
  writeFileSync(order, JSON.stringify({ facts, verb, args }), { mode: 0o600 });
  const child = spawn(process.execPath, [fileURLToPath(childProgram), order], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  await Promise.race([once(child.stdout, "data"), ended]);
  await Promise.race([delay(milliseconds), ended]);
  child.kill("SIGKILL");
  await ended;
}

/** What differs between hosts of a test. */
export interface TestDatabasesOptions extends Pick<ProgramFacts, "s3"> {
  /** One that is there already, with the ports it was served at. */
  readonly over?: {
    readonly fleet: Fleet;
    readonly ports: ProgramFacts["ports"];
    readonly remove: () => Promise<void>;
  };
}

/** Logs in as a tenant. */
async function connectTo(port: number, who: TestDatabase): Promise<Client> {
  const { name: database, login: user, password } = who;
  const client = new Client({ host: "127.0.0.1", port, database, user, password });
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

/** Starts all of it; nothing is in it yet. */
export async function openTestDatabases({ s3, over }: TestDatabasesOptions = {}) {
  const { fleet, remove } = over ?? (await openTestFleet());
  const ports = over?.ports ?? { transaction: await freePort(), session: await freePort() };
  const facts: ProgramFacts = {
    ...{ fleet, ports, certificate: makePair(fleet.directory, "pooler") },
    password: randomBytes(24).toString("base64url"),
    ...(s3 === undefined ? {} : { s3 }),
  };
  let program = await openProgram(facts);

  async function create(name: string): Promise<TestDatabase> {
    const { spec, ...made } = await order(name);
    await program.databases.create(name, spec);
    return made;
  }

  const connect = (who: TestDatabase, mode: Mode = "transaction") => connectTo(ports[mode], who);

  /** Has another program do something, while this one is away. */
  async function away(work: () => Promise<void>): Promise<void> {
    await program.close();
    await work();
    program = await openProgram(facts);
  }

  return Object.assign(
    shownBy(() => program),
    {
      ...{ fleet, order, create, connect, ports, remove, dumps: dumpsOf(fleet) },
      /** As a host program does that is started anew: it knows what is on disk, and what runs. */
      comeAnew: () => away(async () => undefined),
      /** Has a program be killed in the middle of a verb, so long after it began. */
      killIn: (milliseconds: number, ...verb: readonly [string, ...unknown[]]) =>
        away(() => runKilled(facts, verb, milliseconds)),
      /** Ends the poolers, with all of their clients, and starts them as a host program does. */
      async restartPoolers(): Promise<void> {
        for (const mode of modes) {
          await program.poolers[mode].stop();
          await program.poolers[mode].start(program.linesFor(mode));
        }
      },
      async stop(): Promise<void> {
        await program.close();
        await Promise.all(modes.map((mode) => program.poolers[mode].stop()));
        await remove();
      },
    },
  );
}
