// Keeps prepared statements from taking a pooler's memory. PgBouncer keeps the text of each for as
// long as its client is connected, whatever its size, and tells how many a client has, not how much
// they take. What is beyond its own accounts is taken for their text; then clients of the database
// that has sent most are ended until it is gone. Their drivers connect and prepare again.
import { readFileSync } from "node:fs";
import { log } from "../base/log.ts";
import type { Running } from "../base/running.ts";
import type { Session } from "../base/session.ts";

const megabyte = 1024 ** 2;
/** What a pooler may take beyond what it accounts for. */
const excessBytesMax = 64 * megabyte;
/** Programs, libraries and what is not accounted for of a pooler that has no clients. */
const baseBytes = 24 * megabyte;
/** OpenSSL's, of each client. */
const bytesOfTls = 100 * 1024;
/** What a database must have sent to be worth the loss of its clients. */
const sentBytesMin = 4 * megabyte;
/** Ended at one look; memory is looked at again before others are. */
const clientsAtOnce = 20;

type Row = Readonly<Record<string, unknown>>;

/** What is needed to look at one pooler. */
export interface StatementWatchOptions {
  readonly console: Pick<Session, "query">;
  readonly find: () => Running | undefined;
  /** Bytes of memory of a process. */
  readonly residentBytes?: (pid: number) => number;
}

/** Bytes of memory a process has; 0 of one that is gone. */
export function residentBytesOf(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

const sumOf = (rows: readonly Row[], column: string) =>
  rows.reduce((sum, row) => sum + Number(row[column]), 0);

/** The clients to end: those with prepared statements of the database that has sent most. */
function chooseClients(clients: readonly Row[], stats: readonly Row[]): readonly Row[] {
  const prepared = clients.filter(({ prepared_statements: count }) => Number(count) > 0);
  const names = new Set(prepared.map(({ database }) => database));
  const [most] = stats
    .filter(({ database }) => names.has(database))
    .filter(({ total_received: sent }) => Number(sent) >= sentBytesMin)
    .toSorted((one, other) => Number(other.total_received) - Number(one.total_received));
  return prepared
    .filter(({ database }) => most !== undefined && database === most.database)
    .toSorted((one, other) => Number(other.prepared_statements) - Number(one.prepared_statements))
    .slice(0, clientsAtOnce);
}

/** Makes the look at one pooler. @returns the database whose clients it ended, if any */
export function createStatementWatch(options: StatementWatchOptions) {
  const { console, find, residentBytes = residentBytesOf } = options;
  return async (): Promise<string | undefined> => {
    const pooler = find();
    if (pooler === undefined) return undefined;
    const resident = residentBytes(pooler.pid);
    if (resident < baseBytes + excessBytesMax) return undefined;
    const accounted = sumOf(await console.query<Row>("SHOW MEM"), "memtotal");
    if (resident - accounted - baseBytes < excessBytesMax) return undefined;
    const clients = await console.query<Row>("SHOW CLIENTS");
    const ofTls = clients.filter(({ tls }) => tls !== "").length * bytesOfTls;
    if (resident - accounted - ofTls - baseBytes < excessBytesMax) return undefined;
    const chosen = chooseClients(clients, await console.query<Row>("SHOW STATS_TOTALS"));
    const database = chosen.map((row) => String(row.database))[0];
    if (database === undefined) return undefined;
    for (const { id } of chosen) await endClient(console, String(id));
    // Its server connections know the statements, too.
    await console.query(`RECONNECT ${database}`);
    log("warn", "Prepared statements took a pooler's memory: clients were ended", {
      database,
      clients: chosen.length,
      residentBytes: resident,
    });
    return database;
  };
}

async function endClient(console: Pick<Session, "query">, id: string): Promise<void> {
  await console.query(`KILL_CLIENT ${id}`).catch((error: Error) => {
    if (!error.message.includes("client not found")) throw error;
  });
}
