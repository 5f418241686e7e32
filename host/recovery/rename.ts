// New names for tables that are copied beside those of their own names, and for what belongs to
// each: indexes, constraints and sequences have names of their own in a schema.
import type { Session } from "../session.ts";

/** A table, and what it is to be called. */
export interface TableWish {
  readonly schema: string;
  readonly name: string;
  readonly as: string;
}

/** Statements that rename, and that take it back. */
export interface Renames {
  readonly there: string;
  readonly back: string;
}

const bytesMax = 63;

/** A name as an identifier. */
export const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;
/** A text as a literal, whatever the settings of its session. */
export const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;

/** Cuts a name to what Postgres takes, without a broken character at its end. */
function cut(name: string, bytes: number): string {
  let end = name;
  while (Buffer.byteLength(end) > bytes) end = [...end].slice(0, -1).join("");
  return end;
}

/** The name of something that belongs to a table, for the table's new name, and not taken. */
export function renamed(
  name: string,
  { name: table, as }: Pick<TableWish, "name" | "as">,
  taken: ReadonlySet<string>,
): string {
  const rest = name.startsWith(table) ? name.slice(table.length) : `_${name}`;
  for (let number = 0; ; number++) {
    const end = number === 0 ? rest : `${rest}${number}`;
    const whole = cut(as, Math.max(1, bytesMax - Buffer.byteLength(cut(end, 40)))) + cut(end, 40);
    if (!taken.has(whole)) return whole;
  }
}

interface Part extends Record<string, unknown> {
  readonly kind: "index" | "sequence" | "constraint";
  readonly name: string;
}

// Indexes of constraints are renamed with these.
const partsSql = ({ schema, name }: TableWish) => `
  with wanted as (
    select c.oid from pg_class c join pg_namespace n on n.oid = relnamespace
    where nspname = ${literal(schema)} and relname = ${literal(name)})
  select 'constraint' as kind, conname::text as name from pg_constraint
    where conrelid in (select oid from wanted) and contype in ('p', 'u', 'x')
  union all
  select 'index', i.relname::text from pg_index join pg_class i on i.oid = indexrelid
    where indrelid in (select oid from wanted)
      and not exists (
        select from pg_constraint where conindid = indexrelid and contype in ('p', 'u', 'x'))
  union all
  select 'sequence', s.relname::text from pg_depend d join pg_class s on s.oid = d.objid
    where d.classid = 'pg_class'::regclass and refclassid = 'pg_class'::regclass
      and refobjid in (select oid from wanted) and refobjsubid > 0
      and deptype in ('a', 'i') and s.relkind = 'S'
  order by 1, 2`;

const namesSql = (schema: string) => `
  select relname::text as name from pg_class join pg_namespace n on n.oid = relnamespace
  where nspname = ${literal(schema)}`;

function statement({ schema, name: table }: TableWish, { kind, name }: Part, to: string): string {
  if (kind === "constraint") {
    const of = `${quoted(schema)}.${quoted(table)}`;
    return `alter table ${of} rename constraint ${quoted(name)} to ${quoted(to)}`;
  }
  return `alter ${kind} ${quoted(schema)}.${quoted(name)} rename to ${quoted(to)}`;
}

async function namesIn(session: Session, schema: string): Promise<readonly string[]> {
  return (await session.query<{ name: string }>(namesSql(schema))).map(({ name }) => name);
}

/** Finds names for all that belongs to tables, which neither instance has. */
export async function planRenames(
  past: Session,
  live: Session,
  wishes: readonly TableWish[],
): Promise<Renames> {
  const [there, back]: [string[], string[]] = [[], []];
  const taken = new Map<string, Set<string>>();
  for (const wish of wishes) {
    const { schema, name, as } = wish;
    const known =
      taken.get(schema) ??
      new Set([...(await namesIn(past, schema)), ...(await namesIn(live, schema))]);
    taken.set(schema, known);
    for (const part of await past.query<Part>(partsSql(wish))) {
      const to = renamed(part.name, wish, known);
      known.add(to);
      there.push(statement(wish, part, to));
      back.unshift(statement(wish, { ...part, name: to }, part.name));
    }
    if (name === as) continue;
    const table = (from: string, to: string) =>
      `alter table ${quoted(schema)}.${quoted(from)} rename to ${quoted(to)}`;
    there.push(table(name, as));
    back.unshift(table(as, name));
  }
  // In one message they are one transaction.
  return { there: there.join(";\n") || "select", back: back.join(";\n") || "select" };
}
