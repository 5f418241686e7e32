// Warm superuser connections to one host. Connecting costs a Worker more than most queries, so
// they live in the host's lane object and are lent from there.
import { Client } from "@neondatabase/serverless";
import { messageOf, Unreached } from "../core/error.ts";

/** A row as the driver returns it. */
type Row = Record<string, unknown>;

/** Runs one SQL text; with `values` it is one statement, without them it may be several. */
export type Query = (text: string, values?: readonly unknown[]) => Promise<Row[]>;

/** Lends connections one borrower at a time. */
export interface SqlPool {
  /** Runs `use` with a connection of its own; whoever fails leaves no connection behind. */
  readonly lend: <Result>(use: (query: Query) => Promise<Result>) => Promise<Result>;
  /** Closes what is idle. */
  readonly closeIdle: () => Promise<void>;
}

/** Where and as whom to connect; asked for at each connect, since tokens are short-lived. */
export interface SqlAccess {
  readonly hostUrl: string;
  readonly token: string;
  readonly address: string;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

// A Worker may have six connections open at once.
const connectionsMax = 6;
const statementTimeoutMilliseconds = 60_000;

/** A pool that connects when asked, up to six connections. */
export function createSqlPool(access: () => Promise<SqlAccess>): SqlPool {
  const idle: Client[] = [];
  const waiting: ((client: Client | null) => void)[] = [];
  let open = 0;

  const borrow = async (): Promise<Client> => {
    const ready = idle.pop();
    if (ready !== undefined) return ready;
    if (open >= connectionsMax) {
      const handed = await new Promise<Client | null>((resolve) => waiting.push(resolve));
      if (handed !== null) return handed;
    }
    open++;
    try {
      return await connectSql(await access(), (client) => forget(client));
    } catch (cause) {
      open--;
      waiting.shift()?.(null);
      // Nothing was sent yet: whoever asked may ask another host.
      throw new Unreached(`The host was not reached: ${messageOf(cause)}`, { cause });
    }
  };
  const forget = (client: Client) => {
    const at = idle.indexOf(client);
    if (at < 0) return;
    idle.splice(at, 1);
    open--;
  };
  const giveBack = (client: Client) => {
    const next = waiting.shift();
    if (next === undefined) idle.push(client);
    else next(client);
  };
  const discard = (client: Client) => {
    open--;
    waiting.shift()?.(null);
    client.end().catch(() => undefined);
  };
  return {
    lend: async (use) => {
      const client = await borrow();
      try {
        const result = await use(queryWith(client));
        giveBack(client);
        return result;
      } catch (error) {
        discard(client);
        throw error;
      }
    },
    closeIdle: async () => {
      open -= idle.length;
      await Promise.allSettled(idle.splice(0).map((client) => client.end()));
    },
  };
}

/** Logs in. @throws whatever the wire or Postgres says */
export async function connectSql(
  access: SqlAccess,
  onLost: (client: Client) => void,
): Promise<Client> {
  const { user, password, database, address } = access;
  const client = new Client({
    user,
    password,
    database,
    host: address,
    statement_timeout: statementTimeoutMilliseconds,
  });
  const url = new URL(`/v1?address=${address}&token=${access.token}`, access.hostUrl);
  client.neonConfig.wsProxy = () => `${url.host}${url.pathname}${url.search}`;
  client.neonConfig.useSecureWebSocket = url.protocol === "https:";
  // The driver's pipelined login works with cleartext passwords only; ours is SCRAM.
  client.neonConfig.pipelineConnect = false;
  client.neonConfig.pipelineTLS = false;
  client.on("error", () => onLost(client));
  await client.connect();
  return client;
}

function queryWith(client: Client): Query {
  return async (text, values) => {
    const result = values === undefined ? client.query(text) : client.query(text, [...values]);
    const answered = (await result) as { rows: Row[] } | { rows: Row[] }[];
    return Array.isArray(answered) ? (answered.at(-1)?.rows ?? []) : answered.rows;
  };
}
