// One connection to the transaction pooler, as a client of SQL over HTTP has it.
import { connect, Socket } from "node:net";
import { Client, Query, type QueryArrayResult } from "pg";
import type { Outcome, RawRow } from "./answer.ts";
import type { Login, Statement } from "./request.ts";

/** Hears what comes; must not throw. */
export interface RowSink {
  addRow(fields: Outcome["fields"], row: RawRow): void;
  /** Bytes the pooler sent since the last call. */
  onBytes(bytes: number): void;
}

/** A connection that one request at a time has for itself. */
export interface SqlConnection {
  /** Rejects with what Postgres or the pooler said. */
  run(statement: Statement, sink: RowSink): Promise<Outcome>;
  /** Has Postgres stop what runs here; it then ends with an error. Calls back when that is sent. */
  cancel(onSent?: () => void): void;
  /** Reads no further until told to. */
  pause(): void;
  resume(): void;
  /** True while it is as it was after login, for the next request to use. */
  isClean(): boolean;
  destroy(): void;
  /** Milliseconds of `performance.now()` at login. */
  readonly openedAt: number;
}

const rawTypes = { getTypeParser: () => (text: string) => text };

function queryOf({ query, params }: Statement): Query {
  // One statement, always: in the simple protocol a text without values could be several.
  const config = {
    ...{ text: query, values: [...params], rowMode: "array" as const, queryMode: "extended" },
  };
  return new Query(config);
}

/** What a connection is known by to who wants to stop its query. */
interface BackendKey {
  readonly processID: number;
  readonly secretKey: number;
}

/** A request to stop what the connection with this key runs, on a connection of its own. */
function sendCancel(path: string, { processID, secretKey }: BackendKey, onSent: () => void): void {
  const message = Buffer.alloc(16);
  message.writeInt32BE(16, 0);
  message.writeInt32BE(80_877_102, 4);
  message.writeInt32BE(processID, 8);
  message.writeInt32BE(secretKey, 12);
  const socket = connect({ path });
  socket.on("error", () => socket.destroy());
  // The other side closes once it has passed it on.
  socket.once("close", onSent).resume();
  socket.end(message);
}

// Of short rows 64 kB, which a socket reads otherwise, are ten thousand.
const pieceBytes = 16 * 1024;

/** A socket that reads little at a time, so that many rows do not keep the event loop. */
function createSocket(): Socket {
  const socket: Socket = new Socket({
    onread: {
      buffer: Buffer.alloc(pieceBytes),
      callback: (length, buffer) => {
        // Whoever listens may keep it, and the next piece comes into the same buffer.
        socket.emit("data", Buffer.from(buffer.subarray(0, length)));
        return !socket.isPaused();
      },
    },
  });
  return socket;
}

/** Where the pooler listens: a Unix socket. */
export interface SqlTarget {
  readonly directory: string;
  readonly port: number;
}

function clientOf({ directory, port }: SqlTarget, login: Login, socket: Socket): Client {
  const { user, password, database, applicationName, options } = login;
  return new Client({
    ...{ host: directory, port, user, password, database, types: rawTypes, ssl: false },
    ...(applicationName === "" ? {} : { application_name: applicationName }),
    ...(options === "" ? {} : { options }),
    stream: () => socket,
  });
}

/**
 * Logs in. Rejects with what the pooler said, or when the signal aborts.
 */
export async function openSqlConnection(
  target: SqlTarget,
  login: Login,
  signal: AbortSignal,
): Promise<SqlConnection> {
  const socket = createSocket();
  const client = clientOf(target, login, socket);
  const path = `${target.directory}/.s.PGSQL.${target.port}`;
  let key: BackendKey | undefined;
  let isChanged = false;
  let sink: RowSink | undefined;
  const lose = () => {
    isChanged = true;
  };
  client.on("error", lose);
  client.on("end", lose);
  client.connection.on("backendKeyData", (message) => {
    key = message;
  });
  const giveUp = () => socket.destroy();
  signal.addEventListener("abort", giveUp);
  await client.connect().finally(() => signal.removeEventListener("abort", giveUp));
  // The pooler remembers for its client what such a setting was changed to.
  client.connection.on("parameterStatus", lose);
  socket.on("data", (chunk: Buffer) => sink?.onBytes(chunk.length));

  return {
    openedAt: performance.now(),
    run(statement, rowSink) {
      sink = rowSink;
      return new Promise<Outcome>((resolve, reject) => {
        const query = queryOf(statement);
        query.on("row", (row: unknown, result) => {
          rowSink.addRow(result?.fields ?? [], row as RawRow);
        });
        query.on("error", reject);
        query.on("end", (result) => {
          const { fields, command, rowCount } = result as unknown as QueryArrayResult;
          resolve({ fields, command: command ?? "", rowCount });
        });
        client.query(query);
      });
    },
    cancel(onSent = () => undefined) {
      if (key !== undefined) sendCancel(path, key, onSent);
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    isClean: () => !isChanged && !socket.destroyed && client.getTransactionStatus() === "I",
    destroy: () => socket.destroy(),
  };
}
