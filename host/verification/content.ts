// What is in a database, in a form that can be compared with what is restored of it: rows and a
// hash of each table, of one moment. It is read by a role that may read everything, and do nothing
// else: what tenants put into a table may run when it is read.
import { createHash } from "node:crypto";
import { Client } from "pg";
import type { VerifiedDatabase } from "../../src/contract/verification.ts";
import type { Fleet } from "../instance/fleet.ts";
import { type InstancePlace, socketPort } from "../instance/place.ts";
import { type holderRole, readerPassword, readerRole } from "../instance/reader.ts";

/** A table as it was found; the hash does not depend on the order of its rows. */
interface TableContent {
  /** With its schema, quoted. */
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

/** A database in a running instance. */
export interface Source {
  readonly fleet: Fleet;
  readonly place: InstancePlace;
  readonly database: string;
}

/** What all tables that are compared may take; beyond it the largest are left out. */
const comparedBytesMax = 4 * 1024 ** 3;
const tableSeconds = 120;
/** Reading all of them; tables whose turn comes later are left out. */
const readSeconds = 1800;

// What a value looks like as text depends on these; a tenant may have set them otherwise.
const settings = {
  search_path: "pg_catalog,pg_temp",
  role: "none",
  timezone: "UTC",
  datestyle: "ISO",
  intervalstyle: "postgres",
  extra_float_digits: "1",
  bytea_output: "hex",
  xmlbinary: "base64",
  lc_monetary: "C",
  quote_all_identifiers: "off",
  row_security: "off",
  jit: "off",
  default_transaction_read_only: "off",
  transaction_timeout: "0",
  idle_in_transaction_session_timeout: "0",
  idle_session_timeout: "0",
  statement_timeout: `${tableSeconds}s`,
  lock_timeout: "1s",
  client_connection_check_interval: "1000",
};
const options = Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`);

/** Has work done in a session of its own, as one who reads or as one who holds tables still. */
export async function withReader<Result>(
  { fleet, place, database }: Source,
  role: typeof readerRole | typeof holderRole,
  work: (client: Client) => Promise<Result>,
): Promise<Result> {
  const client = new Client({
    ...{ host: place.door, port: socketPort, user: role, database },
    password: readerPassword(fleet, role, database),
    application_name: "miosa verification",
    options: options.join(" "),
    connectionTimeoutMillis: 10_000,
  });
  // A connection that breaks fails the query that is under way, or the next one.
  client.on("error", () => undefined);
  await client.connect();
  return work(client).finally(() => client.end().catch(() => undefined));
}

/** All tables of the tenant's. */
export const ownTables = `
  from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
  where c.relkind = 'r' and c.relpersistence = 'p' and n.nspname !~ '^pg_'
    and n.nspname <> 'information_schema'`;

// As they were at the snapshot: what a name leads to by now, or which file, may be another.
const found = `
  select c.oid::text, c.relfilenode::text as file,
    format('%I.%I', n.nspname, c.relname) as table,
    c.relpages::float8 * current_setting('block_size')::int as bytes
  ${ownTables} order by 4, 3`;

interface FoundTable {
  readonly oid: string;
  readonly table: string;
  readonly file: string;
  readonly bytes: number;
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

const current = `
  select pg_relation_filenode(t)::text as file, t::oid::text as oid,
    pg_table_size(t)::float8 as bytes
  from to_regclass($1) as t`;

interface Current {
  readonly file: string | null;
  readonly oid: string | null;
  readonly bytes: number | null;
}

async function currentOf(client: Client, table: string): Promise<Current | undefined> {
  return (await client.query<Current>(current, [table])).rows[0];
}

/** Work of which nothing stays, no lock either; undefined when it fails. */
async function orUndefined<Result>(client: Client, work: () => Promise<Result>) {
  await client.query("savepoint table_content");
  try {
    return await work();
  } catch {
    return undefined;
  } finally {
    await client.query("rollback to savepoint table_content; release savepoint table_content");
  }
}

/** Reads one as it was at the snapshot; undefined for one that was rewritten since. */
async function readSame(
  client: Client,
  { table, oid, file }: FoundTable,
  bytesMax: number,
): Promise<{ readonly content: TableContent; readonly bytes: number } | undefined> {
  const size = await currentOf(client, table);
  const bytes = size?.bytes ?? Number.POSITIVE_INFINITY;
  if (bytes > bytesMax) return undefined;
  const content = await readTable(client, table);
  // What truncates or rewrites a table is seen by older snapshots, too.
  const now = await currentOf(client, table);
  return now?.oid === oid && now.file === file ? { content, bytes } : undefined;
}

/** Reads the tables in the transaction's snapshot, as far as they are what they were at it. */
export async function readAll(
  client: Client,
  isStill: (oid: string) => boolean,
  signal: AbortSignal,
): Promise<Manifest> {
  const { rows } = await client.query<FoundTable>(found);
  const tables: TableContent[] = [];
  const leftOut: string[] = [];
  const deadline = performance.now() + readSeconds * 1000;
  let left = comparedBytesMax;
  for (const each of rows) {
    signal.throwIfAborted();
    const isWanted = isStill(each.oid) && performance.now() < deadline;
    const read = isWanted
      ? await orUndefined(client, () => readSame(client, each, left))
      : undefined;
    left -= read?.bytes ?? 0;
    if (read === undefined) leftOut.push(each.table);
    else tables.push(read.content);
  }
  return { tables, leftOut };
}

/** What differs in a restored database from what it is to be, a line for each table. */
export async function differences(
  source: Source,
  { tables }: Manifest,
  signal: AbortSignal,
): Promise<string[]> {
  return withReader(source, readerRole, async (client) => {
    // It has less of the machine than the living one.
    await client.query("set statement_timeout = '10min'");
    const lines: string[] = [];
    for (const { table, rows, hash } of tables) {
      signal.throwIfAborted();
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
export function summaryOf({ tables, leftOut }: Manifest): VerifiedDatabase["manifest"] {
  const lines = tables.map(({ table, rows, hash }) => `${table} ${rows} ${hash}\n`).sort();
  return {
    tables: tables.length,
    rows: tables.reduce((sum, { rows }) => sum + rows, 0),
    tables_left_out: leftOut.length,
    sha256: createHash("sha256").update(lines.join("")).digest("hex"),
  };
}
