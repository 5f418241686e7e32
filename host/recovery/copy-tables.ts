// Copies single tables of a recovered instance into its living database, beside what is there. The
// recovered one is read by a role that changes nothing, and the living one is written to by a role
// that is no more than its owner: what a tenant put there runs with no other rights.
import { randomBytes } from "node:crypto";
import { chmodSync, chownSync, createWriteStream, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { HostCommandInput } from "../../src/contract/instance/command.ts";
import { withSessions } from "../database/settle.ts";
import { atSocket, runProgram, startProgram } from "../dump/program.ts";
import type { Box } from "../instance/box.ts";
import { removeTree } from "../instance/files.ts";
import { boxOf } from "../instance/fleet.ts";
import type { InstanceState } from "../instance/roster.ts";
import { platformSession } from "../instance/session.ts";
import { dumpRole } from "../instance/template.ts";
import { verifierOf } from "../instance/verifier.ts";
import { HostProblem } from "../problem.ts";
import type { Session } from "../session.ts";
import type { RecoveryMeans } from "./recoveries.ts";
import { literal, planRenames, quoted, type Renames, type TableWish } from "./rename.ts";

const rolePrefix = "miosa_copy_";

// Whatever else belongs to a table names what may not be there, or runs code.
const kinds = [
  ...["TABLE", "TABLE DATA", "SEQUENCE", "SEQUENCE OWNED BY", "SEQUENCE SET", "DEFAULT"],
  ...["CONSTRAINT", "INDEX", "COMMENT"],
];
const entryForm = new RegExp(`^\\d+; \\d+ \\d+ (?:${kinds.join("|")}) `);

interface Copying {
  readonly means: RecoveryMeans;
  readonly database: string;
  /** The recovered instance, and the one that serves. */
  readonly from: Box;
  readonly to: Box;
  /** Shared by programs in both boxes. */
  readonly directory: string;
  readonly signal: AbortSignal;
}

interface Counted extends Record<string, unknown> {
  readonly n: string;
}

const nameOf = (schema: string, name: string) => `${quoted(schema)}.${quoted(name)}`;

interface Found extends Record<string, unknown> {
  readonly kind: string | null;
}

/** @throws HostProblem 409 when what is asked for is no table, 404 when it is not there */
async function requireTables(inside: Session, wishes: readonly TableWish[]): Promise<void> {
  for (const { schema, name } of wishes) {
    const [row] = await inside.query<Found>(`
      select relkind::text as kind from pg_class join pg_namespace n on n.oid = relnamespace
      where nspname = ${literal(schema)} and relname = ${literal(name)}
        and not relispartition and not exists (
          select from pg_inherits where pg_class.oid in (inhrelid, inhparent))`);
    if (row?.kind === "r") continue;
    const words = `${schema}.${name} is no table of its own at that moment.`;
    throw new HostProblem(404, "unknown_table", words);
  }
}

/** @throws HostProblem 409 when a name is taken */
async function refuseTaken(inside: Session, wishes: readonly TableWish[]): Promise<void> {
  for (const { schema, as } of wishes) {
    const [row] = await inside.query<Found>(`
      select relkind::text as kind from pg_class join pg_namespace n on n.oid = relnamespace
      where nspname = ${literal(schema)} and relname = ${literal(as)}`);
    if (row === undefined) continue;
    throw new HostProblem(409, "table_exists", `There is ${schema}.${as} already.`);
  }
  const wanted = wishes.map(({ schema, as }) => `${schema}.${as}`);
  if (new Set(wanted).size === wanted.length) return;
  throw new HostProblem(409, "table_exists", "Two tables would have the same name.");
}

/** Counts the rows of each, in their order. */
async function countRows(inside: Session, wishes: readonly TableWish[]): Promise<number[]> {
  const counts: number[] = [];
  for (const { schema, as } of wishes) {
    const text = `select count(*)::text as n from ${nameOf(schema, as)}`;
    const [row] = await inside.query<Counted>(text);
    counts.push(Number(row?.n));
  }
  return counts;
}

/** Dumps the tables, which have the names they are to get. */
async function dump(copying: Copying, postgres: Session, wishes: readonly TableWish[]) {
  const { database, from, directory, signal } = copying;
  const password = randomBytes(32).toString("base64url");
  await postgres.query(`
    grant connect on database ${database} to ${dumpRole};
    alter role ${dumpRole} login password '${await verifierOf(password)}'`);
  const tables = wishes.map(({ schema, as }) => `--table=${nameOf(schema, as)}`);
  const how = ["-Fc", "-Z", "none", "--no-owner", "--no-privileges"];
  const { output, ended } = startProgram(from, {
    name: "pg_dump",
    args: [...atSocket(dumpRole, database), ...how, ...tables],
    secrets: { PGPASSWORD: password, PGOPTIONS: "-c role=none -c row_security=off" },
    signal,
  });
  const archive = join(directory, "archive");
  await pipeline(output, createWriteStream(archive, { mode: 0o600 }), { signal });
  await ended;
  if (from.uid !== null) chownSync(archive, from.uid, from.uid);
  await postgres.query(`alter role ${dumpRole} nologin password null`);
}

/** Lets the host log in to the living database as no more than its owner. */
async function asOwner(
  { database }: Copying,
  postgres: Session,
  work: (login: string, password: string, owner: string) => Promise<void>,
): Promise<void> {
  const [owner] = await postgres.query<{ name: string }>(`
    select rolname as name from pg_roles join pg_database on datdba = pg_roles.oid
    where datname = ${literal(database)}`);
  if (owner === undefined) throw new Error(`There is no database ${database}.`);
  const login = `${rolePrefix}${randomBytes(6).toString("hex")}`;
  const password = randomBytes(32).toString("base64url");
  await postgres.query(`
    create role ${login} login password '${await verifierOf(password)}';
    grant ${quoted(owner.name)} to ${login};
    alter role ${login} set role = ${literal(owner.name)}`);
  try {
    await work(login, password, owner.name);
  } finally {
    await postgres.query(`drop role ${login}`);
  }
}

/** Removes roles of copies that a host program did not end. */
async function removeFormer(postgres: Session): Promise<void> {
  const rows = await postgres.query<{ name: string }>(
    `select rolname as name from pg_roles where starts_with(rolname, '${rolePrefix}')`,
  );
  for (const { name } of rows) await postgres.query(`drop role ${quoted(name)}`);
}

/** Loads what was dumped in one transaction: all of it, or nothing. */
async function load(copying: Copying, login: string, password: string, owner: string) {
  const { database, to, directory, signal } = copying;
  const readable = { "/copy": directory };
  const all = await runProgram(to, {
    ...{ name: "pg_restore" as const, args: ["-l", "/copy/archive"], readable, signal },
  });
  const list = join(directory, "list");
  writeFileSync(
    list,
    `${all
      .split("\n")
      .filter((line) => entryForm.test(line))
      .join("\n")}\n`,
  );
  chmodSync(list, 0o644);
  const how = ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"];
  const what = [`--role=${owner}`, "-L", "/copy/list", "/copy/archive"];
  await runProgram(to, {
    name: "pg_restore",
    args: [...atSocket(login, database), ...how, ...what],
    secrets: { PGPASSWORD: password },
    readable,
    signal,
  });
}

/** Has the tables be called in the recovered instance as they are to be while work is done. */
async function whileRenamed<Result>(
  inside: Session,
  { there, back }: Renames,
  work: () => Promise<Result>,
): Promise<Result> {
  await inside.query(there);
  try {
    return await work();
  } finally {
    await inside.query(back);
  }
}

async function copy(copying: Copying, wishes: readonly TableWish[]): Promise<readonly number[]> {
  const { means, database, from } = copying;
  const { fleet, keeper } = means;
  const live = keeper.live(database).record.name;
  const past = platformSession(fleet, from.place, database);
  const pastInside = platformSession(fleet, from.place, database, database);
  try {
    return await withSessions(means, live, async ({ postgres, inside }) => {
      await requireTables(pastInside, wishes);
      await refuseTaken(inside, wishes);
      await removeFormer(postgres);
      const renames = await planRenames(pastInside, inside, wishes);
      const rows = await whileRenamed(pastInside, renames, async () => {
        await dump(copying, past, wishes);
        return countRows(pastInside, wishes);
      });
      for (const schema of new Set(wishes.map((wish) => wish.schema))) {
        await requireSchema(inside, schema);
      }
      await asOwner(copying, postgres, (...who) => load(copying, ...who));
      return rows;
    });
  } finally {
    await Promise.all([past.close(), pastInside.close()]);
  }
}

/** @throws HostProblem 409 when the living database has none of the name */
async function requireSchema(inside: Session, schema: string): Promise<void> {
  const rows = await inside.query(`select from pg_namespace where nspname = ${literal(schema)}`);
  if (rows.length > 0) return;
  throw new HostProblem(409, "no_schema", `The database has no schema ${schema}: make it first.`);
}

/**
 * Copies tables of a recovered instance that runs into the database it was.
 * @returns how many rows each has
 * @throws HostProblem 409 `table_exists`; nothing was changed then
 */
export async function copyTables(
  means: RecoveryMeans,
  { record }: InstanceState,
  tables: HostCommandInput<"recovery.copy_tables">["tables"],
): Promise<readonly number[]> {
  const { fleet, keeper, files } = means;
  const { database } = record;
  files.databases.get(database);
  const live = keeper.live(database).record;
  const from = boxOf(fleet, record.name, record.slot, record.size);
  const to = boxOf(fleet, live.name, live.slot, live.size);
  const directory = join(from.place.directory, `copy-${randomBytes(4).toString("hex")}`);
  mkdirSync(directory, { mode: 0o700 });
  // Both instances are of one database, and have its user.
  if (from.uid !== null) chownSync(directory, from.uid, from.uid);
  const { signal } = new AbortController();
  const wishes = tables.map(({ schema, name, as = name }) => ({ schema, name, as }));
  try {
    return await keeper.visit(live.name, () =>
      copy({ means, database, from, to, directory, signal }, wishes),
    );
  } finally {
    await removeTree(directory);
  }
}
