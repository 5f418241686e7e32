// The roles of an instance that are somebody's logins, as Postgres has them, and the statements
// that make them what is wanted. Who acts owns the database, or reads it while it is full; all
// other logins are stand-ins: members of who acts, that become it as they log in.
import type { Login } from "../../src/contract/instance/spec.ts";

/** One role. */
export interface Role extends Record<string, unknown> {
  readonly name: string;
  readonly verifier: string | null;
  readonly can_login: boolean;
}

/** Who there is. */
export interface Roles {
  readonly owner: Role;
  /** Acts in the owner's place while the database is full. */
  readonly reader: Role | undefined;
  readonly standIns: readonly Role[];
}

/** A name as SQL wants it. */
export const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;

/** A text as SQL wants it. */
export const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;

/**
 * A reader is known by two roles it is a member of, both. A tenant cannot give these to a role, as
 * it has no right to; nor can it make anybody a member of who acts.
 */
export const readerMarks = ["pg_maintain", "pg_checkpoint"] as const;

const membersOf = (role: string) =>
  `select member as oid from pg_auth_members where roleid = '${role}'::regrole`;

/** Each role with its kind. */
export const rolesSql = (database: string) => `
  with owner as (select datdba as oid from pg_database where datname = ${literal(database)}),
    reader as (${readerMarks.map(membersOf).join(" intersect ")}),
    stand_in as (
      select member as oid from pg_auth_members
      where roleid in (select oid from owner union select oid from reader))
  select rolname as name, rolpassword as verifier, rolcanlogin as can_login,
    case when oid in (select oid from owner) then 'owner'
      when oid in (select oid from reader) then 'reader' else 'stand_in' end as kind
  from pg_authid
  where not rolsuper and oid in (
    select oid from owner union select oid from reader union select oid from stand_in)
  order by rolname`;

/** A row of those. */
export interface RoleRow extends Role {
  readonly kind: "owner" | "reader" | "stand_in";
}

/** Sorts them out. @throws Error when the database is not there */
export function rolesIn(rows: readonly RoleRow[]): Roles {
  const [owner, reader] = [rows.find(isA("owner")), rows.find(isA("reader"))];
  if (owner === undefined) throw new Error("The database is not in its instance, or nobody's.");
  return { owner, reader, standIns: rows.filter(isA("stand_in")) };
}

const isA = (kind: RoleRow["kind"]) => (row: RoleRow) => row.kind === kind;

function password({ name, verifier }: Login): string {
  return `alter role ${quoted(name)} login password ${literal(verifier)}`;
}

const isAs = (role: Role, { verifier }: Login) => role.can_login && role.verifier === verifier;

function renames(from: string, to: string): string {
  return `alter role ${quoted(from)} rename to ${quoted(to)}`;
}

/** Gives who acts the name of the first login, which a stand-in may have so far. */
function renameActor(actor: Role, standIns: Map<string, Role>, to: string, spare: string) {
  if (actor.name === to) return [];
  const twin = standIns.get(to);
  if (twin === undefined) return [renames(actor.name, to)];
  standIns.delete(to);
  standIns.set(actor.name, twin);
  return [renames(to, spare), renames(actor.name, to), renames(spare, actor.name)];
}

/** Who is to log in, and a name nobody has. */
export interface LoginWish {
  readonly logins: readonly Login[];
  readonly spare: string;
}

/** What has to be said for logins to be as wanted, and who has none any more. */
export function loginSql(
  { actor, standIns: present }: { readonly actor: Role; readonly standIns: readonly Role[] },
  { logins: [first, ...others], spare }: LoginWish,
): { readonly statements: readonly string[]; readonly gone: readonly string[] } {
  if (first === undefined) throw new Error("A database has a login.");
  const standIns = new Map(present.map((role) => [role.name, role]));
  const statements = renameActor(actor, standIns, first.name, spare);
  if (!isAs(actor, first)) statements.push(password(first));
  for (const login of others) {
    const known = standIns.get(login.name);
    standIns.delete(login.name);
    if (known === undefined) {
      statements.push(
        `create role ${quoted(login.name)} login password ${literal(login.verifier)}`,
        `grant ${quoted(first.name)} to ${quoted(login.name)} with inherit true, set true`,
      );
    } else if (!isAs(known, login)) statements.push(password(login));
  }
  for (const [name, role] of standIns) {
    if (role.can_login) statements.push(`alter role ${quoted(name)} nologin`);
  }
  return { statements, gone: [...standIns.keys()] };
}

/**
 * Gives roles the settings another one has, and what it is to have beside. They are copied as they
 * are kept, since a list such as `search_path` cannot be told from a text by its value.
 */
export function settingsSql(from: string, to: readonly string[], beside: readonly string[]) {
  if (to.length === 0) return [];
  const names = to.map(literal).join(", ");
  const own = `(select oid from pg_roles where rolname = ${literal(from)})`;
  const extra = beside.map((each) => {
    const [name = ""] = each.split("=");
    const isSet = `exists (select from unnest(s.c) as e where e like '${name}=%')`;
    return `case when s.d <> 0 or ${isSet} then '{}' else array[${literal(each)}] end`;
  });
  const config = ["s.c", ...extra].join(" || ");
  const wanted = `
    select s.d, r.oid as role, ${config} as c
    from (
      select setdatabase as d, setconfig as c from pg_db_role_setting where setrole = ${own}
      union all select 0, '{}'::text[] where not exists (
        select from pg_db_role_setting where setrole = ${own} and setdatabase = 0)
    ) s, (select oid from pg_roles where rolname in (${names})) r`;
  return [
    `delete from pg_db_role_setting where setrole in (
       select oid from pg_roles where rolname in (${names}))
     and not exists (select from (${wanted}) w
       where w.d = setdatabase and w.role = setrole and w.c = setconfig)`,
    `insert into pg_db_role_setting (setdatabase, setrole, setconfig)
     select d, role, c from (${wanted}) w where c <> '{}' and not exists (
       select from pg_db_role_setting where setdatabase = w.d and setrole = w.role)`,
  ];
}
