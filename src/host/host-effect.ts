// The effects that are a command to the host.
import type { HostCommandInput, HostCommandName, HostCommandReport } from "../contract/command.ts";
import type { LocalHostPort } from "./port.ts";

/** Sends one command to this host's host. */
export type HostCommander = <Name extends HostCommandName>(
  name: Name,
  input: HostCommandInput<Name>,
) => Promise<HostCommandReport<Name>>;

type HostEffects = Pick<
  LocalHostPort,
  | "configureDatabase"
  | "forgetDatabase"
  | "stopDatabase"
  | "startDatabase"
  | "hostDatabases"
  | "transitions"
  | "mark"
  | "incidents"
  | "logs"
  | "metrics"
>;

const transitionsMax = 1000;

/** Binds the effects to one host. */
export function hostEffects(command: HostCommander): HostEffects {
  return {
    configureDatabase: async (database, settings) => {
      await command("database.configure", { database, settings });
    },
    forgetDatabase: async (database) => {
      await command("database.forget", { database });
    },
    stopDatabase: async (database) => {
      await command("database.stop", { database });
    },
    startDatabase: async (database) => {
      await command("database.start", { database });
    },
    hostDatabases: async () => (await command("inventory", {})).databases,
    transitions: async (after_seq) =>
      (await command("report", { after_seq, limit: transitionsMax })).transitions,
    mark: (mark, expected, adopt) => command("mark", { mark, expected: [...expected], adopt }),
    incidents: (after_seq) => command("incidents", { after_seq, limit: transitionsMax }),
    logs: (database, request) => command("database.logs", { database, ...request }),
    metrics: async (database, window_seconds) =>
      (await command("database.metrics", { database, window_seconds })).points,
  };
}
