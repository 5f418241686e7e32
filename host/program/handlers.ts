// What carries out each command on this host.
import { hostCommands } from "../../src/contract/instance/command.ts";
import { openMark } from "../mark.ts";
import { HostProblem } from "../problem.ts";
import type { CommandHandlers } from "../server/command.ts";
import { layout } from "./config.ts";
import type { Host } from "./open.ts";
import type { Opened } from "./serve.ts";
import { statusHandlers } from "./status.ts";

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

/** Where dumps come and go over HTTP. */
function createDumps(): Opened["dumps"] {
  const refuse = () => {
    throw new HostProblem(501, "not_built", "This host cannot keep dumps yet.");
  };
  return {
    store: { write: refuse, find: refuse, read: refuse, remove: refuse, list: refuse },
    receive: refuse,
  };
}

/** Makes the handlers of all commands, and what dumps go through. */
export function createHandlers(host: Host): Pick<Opened, "handlers" | "dumps"> {
  const built: Partial<CommandHandlers> = { ...statusHandlers(host), ...ownHandlers(host) };
  const missing = Object.keys(hostCommands).map((name) => {
    const refuse = async () => {
      throw new HostProblem(501, "not_built", `This host cannot do ${name} yet.`);
    };
    return [name, refuse] as const;
  });
  const handlers = { ...(Object.fromEntries(missing) as unknown as CommandHandlers), ...built };
  return { handlers, dumps: createDumps() };
}
