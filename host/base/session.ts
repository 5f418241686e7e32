import { Client, type ClientConfig, type QueryResultRow } from "pg";

/** One connection that is opened when needed and opened anew after it broke. */
export interface Session {
  /** Runs a text after those before it, in the simple protocol as PgBouncer consoles want it. */
  query<Row extends QueryResultRow>(text: string): Promise<Row[]>;
  close(): Promise<void>;
}

/** Opens nothing yet. Each query has 5 s, or `query_timeout` of the options. */
export function createSession(options: ClientConfig): Session {
  let current: Promise<Client> | undefined;

  function connect(): Promise<Client> {
    const client = new Client({ connectionTimeoutMillis: 3000, query_timeout: 5000, ...options });
    const opening: Promise<Client> = client.connect().then(() => client);
    const forget = () => {
      if (current === opening) current = undefined;
    };
    client.on("error", forget);
    client.on("end", forget);
    opening.catch(forget);
    return opening;
  }

  async function drop(): Promise<void> {
    const opening = current;
    current = undefined;
    await opening?.then((client) => client.end()).catch(() => undefined);
  }

  async function run<Row extends QueryResultRow>(text: string): Promise<Row[]> {
    current ??= connect();
    const client = await current;
    try {
      return (await client.query<Row>(text)).rows;
    } catch (error) {
      // A refused statement (five-letter code) leaves the connection good; all else does not.
      if (!/^[0-9A-Z]{5}$/.test(String((error as { code?: unknown }).code))) void drop();
      throw error;
    }
  }

  let last: Promise<unknown> = Promise.resolve();
  return {
    query<Row extends QueryResultRow>(text: string) {
      const result = last.then(() => run<Row>(text));
      last = result.catch(() => undefined);
      return result;
    },
    close: drop,
  };
}
