// Work of the host program's own with the Postgres of an instance, also of one that does not run:
// no client is led to it for that.
import type { Running } from "../base/running.ts";
import { writeSettings } from "./files.ts";
import type { Parts } from "./serve.ts";
import { ensureServer, stopServer } from "./server.ts";

/** Makes it, for who holds the instance's lane. */
export function createVisits({ roster }: Pick<Parts, "roster">) {
  async function begin(name: string): Promise<Running> {
    const box = roster.box(name);
    writeSettings(box, roster.get(name).record.size);
    const server = await ensureServer(box);
    roster.note(name, server);
    return server;
  }

  return {
    async visit<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
      if (roster.get(name).server !== undefined) return work();
      const visited = await begin(name);
      try {
        return await work();
      } finally {
        await stopServer(visited);
        roster.note(name, undefined);
      }
    },
    async rouse(name: string): Promise<void> {
      if (roster.get(name).server === undefined) await begin(name);
    },
    async settle(name: string): Promise<void> {
      if (!roster.has(name)) return;
      const { record, server } = roster.get(name);
      if (server === undefined || record.wanted === "running") return;
      await stopServer(server);
      roster.note(name, undefined);
    },
  };
}
