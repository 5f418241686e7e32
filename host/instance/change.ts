// Changes of an instance that stays where it is: a restart, another size.
import { log, messageOf } from "../log.ts";
import { writeSettings } from "./files.ts";
import type { Fleet } from "./fleet.ts";
import { type Hold, holdClients, type Parts } from "./serve.ts";
import { stopServer } from "./server.ts";
import { platformSession } from "./session.ts";
import { type InstanceSize, isTakenAtOnce } from "./size.ts";

/** What they need beside the parts. */
interface ChangeMeans {
  readonly fleet: Fleet;
  readonly hold: Hold;
  /** Starts one and leads its clients to it. */
  readonly start: (name: string) => Promise<string>;
}

/** Says something to the Postgres of one that runs. */
async function tell({ roster }: Parts, fleet: Fleet, name: string, text: string): Promise<void> {
  const { database } = roster.get(name).record;
  const session = platformSession(fleet, roster.box(name).place, database);
  try {
    await session.query(text);
  } finally {
    await session.close();
  }
}

type Between = () => Promise<void>;

/** Makes restarts, for who holds the instance's lane. */
function createRestart(parts: Parts, { fleet, hold, start }: ChangeMeans) {
  const { roster } = parts;

  /** Stops and starts it while its clients are held. */
  async function exchange(name: string, between: Between): Promise<void> {
    // What is written now need not be while clients wait.
    await tell(parts, fleet, name, "checkpoint").catch((error) => {
      log("warn", `${name} is restarted without a checkpoint: ${messageOf(error)}`);
    });
    const letGo = await holdClients(parts, hold, name);
    try {
      const { server } = roster.get(name);
      if (server !== undefined) await stopServer(server);
      roster.note(name, undefined);
      await between();
      await start(name);
    } finally {
      await letGo();
    }
  }

  /** Restarts it with another size, or, when it does not start, with the one it had. */
  async function restartWith(name: string, size: InstanceSize, between: Between): Promise<void> {
    const { size: former } = roster.get(name).record;
    try {
      // While it runs its record says what it was started with.
      await exchange(name, async () => {
        roster.resize(name, size);
        await between();
      });
    } catch (error) {
      if (roster.get(name).server === undefined) {
        roster.resize(name, former);
        await start(name);
      }
      throw error;
    }
  }

  return { exchange, restartWith };
}

/** Makes them, for who holds the instance's lane. */
export function createChange(parts: Parts, means: ChangeMeans) {
  const { roster } = parts;
  const { fleet } = means;
  const { exchange, restartWith } = createRestart(parts, means);
  const nothing = async () => undefined;
  return {
    async restart(name: string, between: Between = nothing): Promise<void> {
      if (roster.get(name).server === undefined) return between();
      await exchange(name, between);
    },
    async resize(name: string, size: InstanceSize, between: Between): Promise<void> {
      const { record, server } = roster.get(name);
      if (server !== undefined && !isTakenAtOnce(record.size, size)) {
        return restartWith(name, size, between);
      }
      await between();
      if (JSON.stringify(record.size) === JSON.stringify(size)) return;
      if (server !== undefined) {
        fleet.groups.hold(name, size);
        writeSettings(roster.box(name), size);
        await tell(parts, fleet, name, "select pg_reload_conf()");
      }
      roster.resize(name, size);
    },
  };
}
