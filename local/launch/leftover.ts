// Processes of an earlier launcher that was killed. Postgres and its poolers are left to the host
// program, which adopts them; its own processes end before new ones take their place.
import { z } from "zod";
import { readIfExists, writeAtomically } from "../../host/base/file.ts";
import { endProcess } from "../../host/base/process.ts";

const Processes = z.record(
  z.string(),
  z.object({
    pid: z.int(),
    /** The argument that only this process has. */
    argument: z.string(),
  }),
);

const killSeconds = 10;

/** A record of running processes, by name, that outlives this one. */
export function createRecord(file: string) {
  const processes = Processes.parse(JSON.parse(readIfExists(file) ?? "{}"));
  const write = () => writeAtomically(file, `${JSON.stringify(processes)}\n`);
  return {
    add: (name: string, argument: string, pid: number) => {
      processes[name] = { pid, argument };
      write();
    },
    /** Kills those of the start before that still live, each after a look at what it is. */
    takeOver: async () => {
      for (const [name, { pid, argument }] of Object.entries(processes)) {
        delete processes[name];
        const identity = { program: "node", argument };
        if (await endProcess(pid, identity, "SIGKILL", killSeconds)) continue;
        throw new Error(`Process ${pid}, the ${name} of an earlier start, does not end: kill it.`);
      }
      write();
    },
  };
}
