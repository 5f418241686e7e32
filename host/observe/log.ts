// What the servers say about one database: its own Postgres, also the one that served it before a
// restore, its slow statements, and the poolers' lines about it alone. Nobody is asked or woken.
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { CommandHandlers } from "../base/command.ts";
import type { Keeper } from "../instance/keeper.ts";
import { type LogState, readCut, stateOf, withLog } from "../instance/log.ts";
import type { InstancePlace } from "../instance/place.ts";
import { instanceLine } from "./instance-line.ts";
import { poolerLine, slowLine } from "./log-line.ts";
import { type SearchedLog, searchIn } from "./log-search.ts";
import type { LogFile } from "./log-source.ts";

/** Former instances whose lines are told: the places in all logs fit into a cursor. */
const formersMax = 3;

/** Where logs are. */
export interface LogParts {
  readonly keeper: Keeper;
  /** Instances a restore put aside for this database, the newest first. */
  readonly asideOf: (database: string) => readonly string[];
  /** The logs of the poolers that serve it. */
  readonly poolerLogs: (database: string) => {
    readonly transaction: string;
    readonly session: string;
  };
}

/** Where the host writes down the slow statements of an instance; outside of its box. */
export function slowLogOf({ directory }: InstancePlace): string {
  return join(directory, "slow.log");
}

/** The files of a log that is cut where it is, the oldest first. */
function filesOf(path: string): readonly LogFile[] {
  const cut = readCut(path);
  const now = withLog(path, "r", stateOf);
  const fileOf = (at: string, { id, ...state }: LogState, missing: number): LogFile[] =>
    id === "" ? [] : [{ id, path: at, missing, ...state }];
  return [
    ...(cut === undefined ? [] : fileOf(`${path}.1`, cut.state, cut.missing)),
    ...(now === undefined ? [] : fileOf(path, now, 0)),
  ];
}

const shortName = (name: string) => createHash("sha256").update(name).digest("hex").slice(0, 4);

/** The logs of one instance, by names that are its own. */
function logsOfInstance(place: InstancePlace, database: string): readonly SearchedLog[] {
  const name = shortName(place.name);
  const own = { isShared: false } as const;
  return [
    {
      ...own,
      name: `p${name}`,
      files: () => filesOf(place.log),
      parse: (entry) => instanceLine(entry, database),
    },
    { ...own, name: `s${name}`, files: () => filesOf(slowLogOf(place)), parse: slowLine },
  ];
}

function logOfPooler(path: string, mode: "transaction" | "session"): SearchedLog {
  const parse = (entry: string) => poolerLine(entry, mode);
  return { name: mode.slice(0, 1), isShared: true, files: () => filesOf(path), parse };
}

/** All logs with lines about a database. */
function logsOf({ keeper, asideOf, poolerLogs }: LogParts, database: string) {
  const { roster, nameAt } = keeper;
  const live = nameAt(database);
  if (live === undefined || !roster.has(live)) return [];
  const former = asideOf(database).slice(0, formersMax).filter(roster.has).toReversed();
  const poolers = poolerLogs(database);
  return [
    ...[...former, live].flatMap((name) => logsOfInstance(roster.box(name).place, database)),
    logOfPooler(poolers.transaction, "transaction"),
    logOfPooler(poolers.session, "session"),
  ];
}

/** Answers with lines; a database the host does not have has none. */
export function logHandlers(parts: LogParts): Pick<CommandHandlers, "database.logs"> {
  return { "database.logs": (query) => searchIn(logsOf(parts, query.database), query) };
}
