// The client stacks that are held to work as they come: each is a directory beside this file with a
// small program, which is given one word: `version`, or the name of a phase.

/** What every stack does, in this order. */
export const phases = ["migrations", "crud", "transaction", "prepared"] as const;
export type Phase = (typeof phases)[number];

/** A command line: its first word is the program. */
export type Command = readonly [string, ...string[]];

/** One row of the table. */
export interface Stack {
  readonly name: string;
  /** The directory beside this file; commands run in a copy of it. */
  readonly folder: string;
  /** Gets the stack and builds its program; a stack of which one fails is not run. */
  readonly install: readonly Command[];
  /** The program, to which the word is added. */
  readonly program: Command;
  /** Phases that are done by a tool of the stack's own. */
  readonly tools?: Partial<Record<Phase, readonly Command[]>>;
  /** What there is no such thing of. */
  readonly lacks?: readonly Phase[];
}

const npm: readonly Command[] = [["npm", "install", "--no-audit", "--no-fund"]];
const pip: readonly Command[] = [
  ["python3", "-m", "venv", ".venv"],
  [".venv/bin/pip", "install", "--quiet", "-r", "requirements.txt"],
];

const node = (name: string, folder: string, ...words: readonly string[]): Stack => ({
  name,
  folder,
  install: npm,
  program: ["node", "main.js", ...words],
});

const python = (name: string, folder: string): Stack => ({
  name,
  folder,
  install: pip,
  program: [".venv/bin/python", "main.py"],
});

const go = (name: string, folder: string): Stack => ({
  name,
  folder,
  install: [["go", "build", "-o", "stack", "."]],
  program: ["./stack"],
});

const shell = (name: string, folder: string, programs: readonly string[]): Stack => ({
  name,
  folder,
  install: programs.map((program) => [program, "--version"]),
  program: ["sh", "main.sh"],
});

const drizzle = (driver: string): Stack => ({
  ...node(`Drizzle, ${driver}`, "drizzle", driver),
  tools: { migrations: [["node_modules/.bin/drizzle-kit", "migrate"]] },
});

/** Every stack. */
export const stacks: readonly Stack[] = [
  node("node-postgres", "node-postgres"),
  node("postgres.js", "postgres-js"),
  {
    ...node("Prisma", "prisma"),
    install: [
      ...npm,
      ["node_modules/.bin/prisma", "generate"],
      // Fetches the engine that migrates, which no npm package holds.
      ["node_modules/.bin/prisma", "version"],
    ],
    tools: { migrations: [["node_modules/.bin/prisma", "migrate", "deploy"]] },
  },
  drizzle("node-postgres"),
  drizzle("postgres.js"),
  drizzle("serverless"),
  node("Kysely", "kysely"),
  node("TypeORM", "typeorm"),
  node("Knex", "knex"),
  python("psycopg 3", "psycopg"),
  python("asyncpg", "asyncpg"),
  {
    ...python("SQLAlchemy and Alembic", "sqlalchemy"),
    tools: { migrations: [[".venv/bin/alembic", "upgrade", "head"]] },
  },
  {
    ...python("Django", "django"),
    tools: { migrations: [[".venv/bin/python", "manage.py", "migrate"]] },
  },
  go("pgx", "pgx"),
  go("database/sql, lib/pq", "database-sql"),
  {
    name: "sqlx",
    folder: "sqlx",
    install: [["cargo", "build", "--quiet", "--locked"]],
    program: ["target/debug/stack"],
  },
  {
    name: "JDBC and Flyway",
    folder: "jdbc",
    install: [["mvn", "-q", "-B", "compile", "dependency:copy-dependencies"]],
    program: ["java", "-cp", "target/classes:target/dependency/*", "Main"],
  },
  shell("psql", "psql", ["psql"]),
  {
    ...shell("pg_dump and pg_restore", "pg-dump", ["psql", "pg_dump", "pg_restore"]),
    lacks: ["prepared"],
  },
];
