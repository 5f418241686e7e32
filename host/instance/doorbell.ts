// Listens where the Postgres of a sleeping instance would. Only a pooler whose client has logged in
// connects there: then the instance is started, and what the pooler says is passed on to it. Such
// a connection lives for as long as the pooler keeps it; the next ones go to Postgres directly.
import { chmodSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { makePassable } from "./files.ts";
import { shortName, socketPort } from "./place.ts";

/** Starts an instance that sleeps. @returns the directory of its socket, once it lets clients in */
export type Wake = (name: string) => Promise<string>;

/** What is listened for. */
export interface Doorbells {
  /** Listens for clients of an instance. @returns the directory its link has to lead to */
  hang(name: string): Promise<string>;
  /** Listens no more; who has come is served. */
  take(name: string): Promise<void>;
  /** Ends all, with the connections that are passed on. */
  close(): void;
}

const socketName = `.s.PGSQL.${socketPort}`;

/** Passes on what either says to the other, until one of them ends. */
function splice(client: Socket, server: Socket): void {
  client.pipe(server);
  server.pipe(client);
  const end = () => {
    client.destroy();
    server.destroy();
  };
  for (const socket of [client, server]) {
    socket.on("error", end);
    socket.on("close", end);
  }
}

/** Passes clients on to what was woken for them. */
function createPassage(wake: Wake) {
  const passing = new Set<Socket>();
  return {
    async answer(name: string, client: Socket): Promise<void> {
      // Nothing is read before somebody is there to hear it.
      client.pause();
      passing.add(client);
      client.once("close", () => passing.delete(client));
      client.on("error", () => client.destroy());
      try {
        const socket = await wake(name);
        if (client.destroyed) return;
        const server = connect(join(socket, socketName));
        server.once("error", () => client.destroy());
        server.once("connect", () => splice(client, server));
      } catch {
        // The pooler tells its client that the server was not reached; the host's log says why.
        client.destroy();
      }
    },
    end(): void {
      for (const socket of passing) socket.destroy();
    },
  };
}

/** Makes the doorbells of a host, in a directory of its own that the poolers may pass through. */
export function createDoorbells(directory: string, wake: Wake): Doorbells {
  const servers = new Map<string, Server>();
  const passage = createPassage(wake);

  async function hang(name: string): Promise<string> {
    const at = join(directory, shortName(name));
    if (servers.has(name)) return at;
    makePassable(at);
    const path = join(at, socketName);
    rmSync(path, { force: true });
    const server = createServer((client) => void passage.answer(name, client));
    servers.set(name, server);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, resolve);
    });
    // The poolers have a user of their own; who may use it is asked by Postgres.
    chmodSync(path, 0o666);
    return at;
  }

  async function take(name: string): Promise<void> {
    const server = servers.get(name);
    servers.delete(name);
    if (server === undefined) return;
    // Who came before the link led elsewhere has been accepted after two turns of the event loop.
    await setImmediate();
    await setImmediate();
    server.close();
    rmSync(join(directory, shortName(name)), { recursive: true, force: true });
  }

  return {
    hang,
    take,
    close() {
      // What is left of each is taken over by who listens there next.
      for (const server of servers.values()) server.close();
      servers.clear();
      passage.end();
    },
  };
}
