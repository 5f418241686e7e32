// Runs what a request asks for through the transaction pooler, with the caller's own login: its
// limits, its size and its sleep are those of any other client.
import { connect, type NetConnectOpts } from "node:net";
import { Client, type FieldDef, Query, type QueryArrayResult } from "pg";
import type { SqlQuery, SqlRequest } from "./sql-request.ts";

const connectMilliseconds = 15_000;
/** What one answer may hold, as text, and all that are under way. */
const answerBytesMax = 32 * 1024 * 1024;
const answersBytesMax = 256 * 1024 * 1024;

type Row = readonly (string | null)[];

/** The answer to one statement, as the driver wants it. */
export interface SqlResult {
  readonly command: string;
  readonly rowCount: number | null;
  readonly fields: readonly FieldDef[];
  readonly rows: readonly unknown[];
  readonly rowAsArray: boolean;
}

/** An answer that would be larger than this program holds for anybody. */
class AnswerTooLarge extends Error {
  override readonly name = "AnswerTooLarge";
  /** SQLSTATE program_limit_exceeded. */
  readonly code = "54000";
  readonly severity = "ERROR";

  constructor() {
    super(
      `The answer is larger than ${answerBytesMax} bytes: ask for fewer rows, or connect with ` +
        "DATABASE_URL.",
    );
  }
}

/** More large answers at once than this program has memory for. */
class AnswersTooMany extends Error {
  override readonly name = "AnswersTooMany";
  /** SQLSTATE out_of_memory. */
  readonly code = "53200";
  readonly severity = "ERROR";

  constructor() {
    super("Too many large answers are under way: try again in a second.");
  }
}

// A value as Postgres wrote it; what it means the driver knows.
const asText = { getTypeParser: () => (text: string) => text };

/** Begins a connection; nobody else has its session. */
function clientOf({ login }: SqlRequest, target: NetConnectOpts): Client {
  const { host, port } = target as { readonly host: string; readonly port: number };
  const client = new Client({
    ...login,
    host,
    port,
    connectionTimeoutMillis: connectMilliseconds,
    fallback_application_name: "SQL over HTTP",
    types: asText,
  });
  client.on("error", () => undefined);
  return client;
}

const cancelCode = 80_877_102;

/** Has the pooler stop the statement a connection is at, as its owner would. */
function cancel(client: Client, target: NetConnectOpts): void {
  const { processID, secretKey } = client as unknown as Record<string, number>;
  if (processID === undefined || secretKey === undefined) return;
  const message = Buffer.alloc(16);
  [16, cancelCode, processID, secretKey].forEach((word, at) => {
    message.writeInt32BE(word, at * 4);
  });
  const socket = connect(target, () => socket.end(message));
  socket.on("error", () => undefined);
  socket.resume();
}

const bytesOf = (row: Row) => row.reduce((sum, value) => sum + (value?.length ?? 4), 0);

/** The memory that answers under way take, of all requests together. */
export interface AnswerRoom {
  /** Takes a row's bytes for a request. @throws AnswerTooLarge */
  take(bytes: number): void;
  /** Gives back what the request took. */
  release(): void;
}

/** Makes a room; each call gives one request its part of it. */
export function createAnswerRoom(): () => AnswerRoom {
  let all = 0;
  return () => {
    let own = 0;
    return {
      take(bytes) {
        own += bytes;
        all += bytes;
        if (own > answerBytesMax) throw new AnswerTooLarge();
        if (all > answersBytesMax) throw new AnswersTooMany();
      },
      release() {
        all -= own;
        own = 0;
      },
    };
  };
}

/** One statement in the extended protocol, which takes no second one behind a semicolon. */
function query(
  client: Client,
  { text, values }: SqlQuery,
  { room, stop }: { readonly room: AnswerRoom; readonly stop: () => void },
): Promise<QueryArrayResult<(string | null)[]>> {
  return new Promise((resolve, reject) => {
    const config = { text, values: [...values], rowMode: "array", queryMode: "extended" } as const;
    const running = new Query<(string | null)[]>(config as never);
    let refused: unknown;
    running.on("row", (row, result) => {
      if (refused !== undefined) return;
      try {
        room.take(bytesOf(row as unknown as Row));
        result?.addRow(row);
      } catch (error) {
        refused = error;
        stop();
      }
    });
    running.on("error", (error) => reject(refused ?? error));
    running.on("end", (result) => {
      if (refused !== undefined) reject(refused);
      else resolve(result as unknown as QueryArrayResult<(string | null)[]>);
    });
    client.query(running);
  });
}

function shape(
  { command, rowCount, fields, rows }: QueryArrayResult<(string | null)[]>,
  { isArray }: SqlRequest,
): SqlResult {
  const names = fields.map(({ name }) => name);
  const objects = () =>
    rows.map((row) => Object.fromEntries(row.map((value, at) => [names[at] ?? "", value])));
  return { command, rowCount, fields, rows: isArray ? rows : objects(), rowAsArray: isArray };
}

/**
 * Runs a request to its end, or until `signal` aborts, which cancels its statement.
 * @throws DatabaseError, AnswerTooLarge with a SQLSTATE too, or what kept it from connecting
 */
export async function runSql(
  request: SqlRequest,
  target: NetConnectOpts,
  { room, signal }: { readonly room: AnswerRoom; readonly signal: AbortSignal },
): Promise<readonly SqlResult[]> {
  const client = clientOf(request, target);
  const stop = () => cancel(client, target);
  await client.connect();
  signal.addEventListener("abort", stop);
  try {
    if (signal.aborted) return [];
    const { begin, queries } = request;
    if (begin !== null) await client.query(begin);
    const results: SqlResult[] = [];
    for (const each of queries)
      results.push(shape(await query(client, each, { room, stop }), request));
    if (begin !== null) await client.query("commit");
    return results;
  } finally {
    signal.removeEventListener("abort", stop);
    // A transaction that is open ends with its connection.
    await client.end().catch(() => undefined);
  }
}
