// What is in a database, in a form that can be compared with what is restored of it: rows and a
// hash of each table, read as the tenant's own role, of one moment that has a name in the WAL.
import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { Client, type ClientConfig } from "pg";

/** A table as it was found; the hash does not depend on the order of its rows. */
interface TableContent {
  readonly table: string;
  readonly rows: number;
  readonly hash: string;
}

/** The tables of a database at one moment. */
export interface Manifest {
  readonly tables: readonly TableContent[];
  /** Tables that were being written, cannot be read, or are too large, and are not compared. */
  readonly leftOut: readonly string[];
}

/** What all tables that are compared may take; beyond it the largest are left out. */
const comparedBytesMax = 4 * 1024 ** 3;
const tableSeconds = 120;
const tablesMax = 5000;
// Somebody who writes now has finished soon, mostly.
const lockTries = 20;
const lockPauseMilliseconds = 50;

// What a value looks like as text depends on these; a tenant may have set them otherwise.
const settings = {
  search_path: "pg_catalog,pg_temp",
  timezone: "UTC",
  datestyle: "ISO",
  intervalstyle: "postgres",
  extra_float_digits: "1",
  bytea_output: "hex",
  xmlbinary: "base64",
  lc_monetary: "C",
  row_security: "off",
  jit: "off",
  max_parallel_workers_per_gather: "0",
  statement_timeout: `${tableSeconds}s`,
  lock_timeout: "1s",
  client_connection_check_interval: "1000",
};
const options = Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`);

/** Where to read, and as whom. */
export type Reader = Pick<ClientConfig, "host" | "port" | "user" | "password" | "database">;

async function withClient<Result>(
  reader: Reader,
  work: (client: Client) => Promise<Result>,
): Promise<Result> {
  const client = new Client({ ...reader, options: options.join(" ") });
  // A connection that breaks fails the query that is under way, or the next one.
  client.on("error", () => undefined);
  await client.connect();
  return work(client).finally(() => client.end().catch(() => undefined));
}

const ownTables = `
  from pg_class as c join pg_namespace as n on n.oid = relnamespace
  where relkind = 'r' and relpersistence = 'p' and nspname !~ '^pg_'
    and nspname <> 'information_schema'`;

// Nobody waits: what somebody writes to at this moment stays without a lock.
const lockIdle = `do $$ declare t text; begin
  for t in select c.oid::regclass::text ${ownTables} order by c.oid limit ${tablesMax} loop
    begin
      execute 'lock table only ' || t || ' in share mode nowait';
    exception
      when lock_not_available or insufficient_privilege or undefined_table then null;
    end;
  end loop; end $$`;

const found = `
  select c.oid::regclass::text as table, pg_relation_filenode(c.oid)::text as file,
    pg_table_size(c.oid)::float8 as bytes,
    exists (select from pg_locks where pid = pg_backend_pid() and relation = c.oid
      and mode = 'ShareLock' and granted) as is_still
  ${ownTables} order by 3, 1`;

interface FoundTable {
  readonly table: string;
  readonly file: string;
  readonly bytes: number;
  readonly is_still: boolean;
}

/** Holds all tables still, as far as nobody writes to them just then. */
async function holdStill(client: Client): Promise<FoundTable[]> {
  for (let tries = 1; ; tries++) {
    await client.query("begin");
    await client.query(lockIdle);
    const { rows } = await client.query<FoundTable>(found);
    if (tries === lockTries || rows.every(({ is_still }) => is_still)) return rows;
    await client.query("rollback");
    await delay(lockPauseMilliseconds);
  }
}

// By their own text: a tenant's casts and operators have no part in it.
const contentOf = (table: string) => `
  select count(*)::float8 as rows,
    coalesce(sum(hashtextextended(v, 0)::numeric), 0) || '/' ||
    coalesce(sum(hashtextextended(v, 1)::numeric), 0) as hash
  from (select textin(record_out(t.*)) collate "C" as v from only ${table} as t) as rows_of_table`;

async function readTable(client: Client, table: string): Promise<TableContent> {
  const { rows } = await client.query<{ rows: number; hash: string }>(contentOf(table));
  const [row] = rows;
  if (row === undefined) throw new Error(`${table} cannot be counted.`);
  return { table, ...row };
}

async function fileOf(client: Client, table: string): Promise<string | null> {
  const text = "select pg_relation_filenode(to_regclass($1))::text as file";
  const { rows } = await client.query<{ file: string | null }>(text, [table]);
  return rows[0]?.file ?? null;
}

/** Reads the tables in the transaction's snapshot; one that was rewritten since is left out. */
async function readAll(client: Client, tables: readonly FoundTable[]): Promise<Manifest> {
  const read: TableContent[] = [];
  const leftOut: string[] = [];
  let left = comparedBytesMax;
  for (const { table, file, bytes, is_still } of tables) {
    left -= bytes;
    const content =
      is_still && left >= 0 ? await orUndefined(client, () => readTable(client, table)) : undefined;
    const isSame = content !== undefined && (await fileOf(client, table)) === file;
    if (isSame) read.push(content);
    else leftOut.push(table);
  }
  return { tables: read, leftOut };
}

async function orUndefined<Result>(client: Client, work: () => Promise<Result>) {
  await client.query("savepoint table_content");
  try {
    return await work();
  } catch {
    await client.query("rollback to savepoint table_content");
    return undefined;
  }
}

/**
 * Reads what is in a live database at the moment `mark` names. Who writes waits at most for the
 * few milliseconds that takes.
 */
export async function readContent<Point>(
  reader: Reader,
  mark: () => Promise<Point>,
): Promise<{ readonly point: Point; readonly manifest: Manifest }> {
  return withClient(reader, async (client) => {
    await client.query("begin isolation level repeatable read read only");
    const { tables, point } = await withClient(reader, async (holder) => {
      const held = await holdStill(holder);
      // The first query takes the snapshot.
      await client.query("select pg_current_snapshot()");
      return { tables: held, point: await mark() };
    });
    return { point, manifest: await readAll(client, tables) };
  });
}

/** What differs in a restored database from what it is to be, a line for each table. */
export async function differences(reader: Reader, { tables }: Manifest): Promise<string[]> {
  return withClient(reader, async (client) => {
    await client.query("set statement_timeout = '10min'");
    const lines: string[] = [];
    for (const wanted of tables) {
      const { table, rows, hash } = wanted;
      const restored = await readTable(client, table).catch((error: Error) => error.message);
      if (typeof restored === "string") lines.push(`${table}: ${restored}`);
      else if (restored.rows !== rows) {
        lines.push(`${table} has ${restored.rows} rows in place of ${rows}`);
      } else if (restored.hash !== hash) lines.push(`${table} has other rows than before`);
    }
    return lines;
  });
}

/** What a manifest comes to. */
export function summaryOf({ tables, leftOut }: Manifest) {
  const lines = tables.map(({ table, rows, hash }) => `${table} ${rows} ${hash}\n`).sort();
  return {
    tables: tables.length,
    rows: tables.reduce((sum, { rows }) => sum + rows, 0),
    tables_left_out: leftOut.length,
    sha256: createHash("sha256").update(lines.join("")).digest("hex"),
  };
}
