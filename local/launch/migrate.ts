// Brings D1 to the migrations of the repository, with the bookkeeping that wrangler uses, so that
// `wrangler d1 migrations apply` agrees on what is done.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The part of a D1 database that is used here. */
export interface Database {
  prepare(sql: string): Statement;
  batch(statements: Statement[]): Promise<unknown>;
}
interface Statement {
  bind(...values: unknown[]): Statement;
  all<Row>(): Promise<{ results: Row[] }>;
  run(): Promise<unknown>;
}

const bookkeeping = `create table if not exists d1_migrations (
  id integer primary key autoincrement,
  name text unique,
  applied_at timestamp default current_timestamp not null
)`;

/** Statements of a migration file as drizzle-kit writes them. */
export function splitStatements(text: string): readonly string[] {
  return text
    .split("--> statement-breakpoint")
    .map((statement) => statement.trim())
    .filter((statement) => statement !== "");
}

/**
 * Applies what is not applied yet, in order, each file whole or not at all; returns the names.
 * @throws Error for a D1 that has migrations this version does not know
 */
export async function migrate(db: Database, directory: string): Promise<readonly string[]> {
  await db.prepare(bookkeeping).run();
  const { results } = await db.prepare("select name from d1_migrations").all<{ name: string }>();
  const done = new Set(results.map(({ name }) => name));
  const files = readdirSync(directory).filter((name) => name.endsWith(".sql"));
  const unknown = [...done].filter((name) => !files.includes(name));
  if (unknown.length > 0) {
    throw new Error(
      `D1 is newer than this version of MIOSA Postgres: it has ${unknown.join(", ")}. Start the ` +
        "newer version again, or bring back a D1 of before.",
    );
  }
  const todo = files.sort().filter((name) => !done.has(name));
  for (const name of todo) {
    const statements = splitStatements(readFileSync(join(directory, name), "utf8"));
    const record = db.prepare("insert into d1_migrations (name) values (?)").bind(name);
    await db.batch([...statements.map((statement) => db.prepare(statement)), record]);
  }
  return todo;
}
