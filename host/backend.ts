// The backends of single databases, seen and ended from a superuser's session.
import type { Session } from "./session.ts";

const endMilliseconds = 5000;

/** A backend, or a parallel worker of one. */
export interface Backend extends Record<string, unknown> {
  readonly pid: number;
  /** Null for processes that belong to no database. */
  readonly database: string | null;
}

/** What the lifecycle of databases asks of Postgres. Names are checked before they come here. */
export interface Backends {
  exists(database: string): Promise<boolean>;
  /** ALLOW_CONNECTIONS, Postgres' own word on who is let in. */
  isAllowed(database: string): Promise<boolean>;
  allow(database: string, isAllowed: boolean): Promise<void>;
  /** Ends all of a database and resolves when they are gone. */
  end(database: string): Promise<void>;
  /** Ends those without work; resolves to how many have some. */
  endIdle(database: string): Promise<number>;
  /** Nobody may be connected to it. */
  rename(from: string, to: string): Promise<void>;
  list(): Promise<readonly Backend[]>;
}

function clientsOf(database: string): string {
  return `pg_stat_activity where datname = '${database}' and backend_type = 'client backend'`;
}

/** `control` is a superuser's session in a database no tenant has. */
export function createBackends(control: Session): Backends {
  async function facts(database: string): Promise<{ datallowconn: boolean } | undefined> {
    const text = `select datallowconn from pg_database where datname = '${database}'`;
    return (await control.query<{ datallowconn: boolean }>(text))[0];
  }

  async function terminate(where: string): Promise<void> {
    await control.query(`select pg_terminate_backend(pid, ${endMilliseconds}) from ${where}`);
  }

  return {
    exists: async (database) => (await facts(database)) !== undefined,
    isAllowed: async (database) => (await facts(database))?.datallowconn === true,
    async allow(database, isAllowed) {
      await control.query(`alter database "${database}" allow_connections ${isAllowed}`);
    },
    async end(database) {
      await terminate(clientsOf(database));
      const [row] = await control.query<{ count: number }>(
        `select count(*)::int from ${clientsOf(database)}`,
      );
      if (row?.count !== 0) throw new Error(`Backends of ${database} do not end.`);
    },
    async endIdle(database) {
      await terminate(`${clientsOf(database)} and state = 'idle'`);
      const [row] = await control.query<{ count: number }>(
        `select count(*)::int from ${clientsOf(database)}`,
      );
      return row?.count ?? 0;
    },
    async rename(from, to) {
      await control.query(`alter database "${from}" rename to "${to}"`);
    },
    list: () =>
      control.query<Backend>(
        "select pid, datname as database from pg_stat_activity " +
          "where datname is not null or backend_type <> 'client backend'",
      ),
  };
}
