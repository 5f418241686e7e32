// Reads and deletes only. Who owns a database may do what it likes with it, so while it is full its
// logins are not its owner: that is renamed and logs nobody in, and a reader acts under its name,
// who sees everything, deletes, truncates and vacuums. What could be done by others' rights, be it
// a function or a grant to everybody, is taken away meanwhile, and given back after.
//
// Whoever prepared for it still finds ways to have its owner's code run, such as an index that
// calls a function while it is built anew: so it is also measured, and stopped when it grows.
import { randomBytes } from "node:crypto";
import type { InstanceSessions } from "./login.ts";
import { literal, quoted, type Roles, readerMarks, settingsSql } from "./role.ts";

// Everybody may call these, and each makes a large object, writes into one or makes it longer.
const writers = [
  "lo_creat(int)",
  "lo_create(oid)",
  "lo_from_bytea(oid, bytea)",
  "lo_put(oid, bigint, bytea)",
  "lowrite(int, bytea)",
  "lo_truncate(int, int)",
  "lo_truncate64(int, bigint)",
].join(", ");

/** What its reader may do everywhere. */
const readerRoles = [...["pg_read_all_data", "pg_monitor", "pg_signal_backend"], ...readerMarks];

// Large objects are read and removed whoever's they are; nothing writes to them, see above.
const readerSettings = ["lo_compat_privileges=on"];

const isTenants = (schema: string) => `${schema} !~ '^pg_' and ${schema} <> 'information_schema'`;

/** What of others' rights is taken away: which thing, and how it was. */
interface Taken extends Record<string, unknown> {
  readonly kind: "definer" | "schema" | "table" | "database";
  readonly id: string;
  /** Its owner's number, or what everybody may do. */
  readonly was: string;
}

const isSuperuser = (owner: string) =>
  `exists (select from pg_roles r where r.oid = ${owner} and r.rolsuper)`;

const publicGrants = (kind: Taken["kind"], from: string, acl: string, privileges: string) => `
  select '${kind}' as kind, oid::text as id, string_agg(privilege_type, ', ') as was
  from ${from}, aclexplode(${acl}) where grantee = 0 and privilege_type in (${privileges})
  group by oid`;

const toTake = (database: string, reader: string) => {
  const schemas = `(select * from pg_namespace where ${isTenants("nspname")}) n`;
  const tables = `(select c.oid, relacl from pg_class c join pg_namespace n on n.oid = relnamespace
    where ${isTenants("nspname")}) t`;
  const own = `(select * from pg_database where datname = ${literal(database)}) d`;
  return `
    select 'definer' as kind, p.oid::text as id, proowner::text as was from pg_proc p
    where prosecdef and not ${isSuperuser("proowner")} and proowner <> ${literal(reader)}::regrole
    union all ${publicGrants("schema", schemas, "nspacl", "'CREATE'")}
    union all ${publicGrants("table", tables, "relacl", "'INSERT', 'UPDATE'")}
    union all ${publicGrants("database", own, "datacl", "'CREATE', 'TEMPORARY'")}`;
};

// In a database where no tenant comes, so that what was is known also after a crash.
const memory = `create table if not exists public.miosa_taken (
  kind text, id oid, was text, primary key (kind, id))`;

const remembered = "select kind, id::text, was from public.miosa_taken";

async function remember({ postgres }: InstanceSessions, all: readonly Taken[]): Promise<void> {
  await postgres.query(memory);
  if (all.length === 0) return;
  const rows = all.map(({ kind, id, was }) => `('${kind}', ${id}, ${literal(was)})`);
  await postgres.query(`
    insert into public.miosa_taken values ${rows.join(", ")} on conflict do nothing`);
}

/** Has a thing's owner be another, unless either is gone. */
const changeOwner = (id: string, owner: string) => `
  do $do$ declare
    name text := (select oid::regprocedure::text from pg_proc where oid = ${id});
    owner text := (select quote_ident(rolname) from pg_roles where ${owner});
  begin
    if name is not null and owner is not null then
      execute format('alter routine %s owner to %s', name, owner);
    end if;
  end $do$`;

/** Says something about a thing by its name, unless it is gone. */
const sayOf = (name: string, format: string) => `
  do $do$ declare name text := (${name}); begin
    if name is not null then execute format(${literal(format)}, name); end if;
  end $do$`;

const named: Readonly<Record<Exclude<Taken["kind"], "definer">, (id: string) => string>> = {
  schema: (id) => `select quote_ident(nspname) from pg_namespace where oid = ${id}`,
  table: (id) => `select oid::regclass::text from pg_class where oid = ${id}`,
  database: (id) => `select quote_ident(datname) from pg_database where oid = ${id}`,
};

/** What is to be said of each to give it to a reader, or back. */
function saidOf(all: readonly Taken[], reader: string | null): string[] {
  const [verb, word] = reader === null ? ["grant", "to"] : ["revoke", "from"];
  return all.map(({ kind, id, was }) =>
    kind === "definer"
      ? changeOwner(id, reader === null ? `oid = ${was}` : `rolname = ${literal(reader)}`)
      : sayOf(named[kind](id), `${verb} ${was} on ${kind} %s ${word} public`),
  );
}

// What a rule does is done with the rights of its table's owner.
const grantDeletes = (reader: string) => `
  do $do$ declare it record; begin
    for it in select c.oid::regclass as name, relkind from pg_class c
      join pg_namespace n on n.oid = relnamespace
      where ${isTenants("nspname")} and relkind in ('r', 'p', 'v')
        and not exists (select from pg_rewrite where ev_class = c.oid and ev_type <> '1')
    loop execute format('grant %s on %s to ${quoted(reader)}',
      case it.relkind when 'v' then 'delete' else 'delete, truncate' end, it.name); end loop;
  end $do$`;

const endSessions = (names: readonly string[]) => `
  select pg_terminate_backend(pid, 5000) from pg_stat_activity
  where usename in (${names.map(literal).join(", ")})`;

/** Has a reader act in the place of the owner, under its name. */
async function exchangeOwner({ postgres }: InstanceSessions, database: string, roles: Roles) {
  const { name, verifier } = roles.owner;
  const reader = quoted(name);
  const aside = `miosa_owner_${randomBytes(8).toString("hex")}`;
  const standIns = roles.standIns.map((role) => quoted(role.name));
  const moved = standIns.flatMap((each) => [
    `revoke ${quoted(aside)} from ${each}`,
    `grant ${reader} to ${each} with inherit true, set true`,
  ]);
  const known = verifier === null ? "null" : literal(verifier);
  await postgres.query(
    [
      `alter role ${reader} rename to ${quoted(aside)}`,
      `alter role ${quoted(aside)} nologin`,
      `create role ${reader} login bypassrls password ${known}`,
      `grant ${readerRoles.join(", ")} to ${reader}`,
      `grant connect on database ${quoted(database)} to ${reader}`,
      ...settingsSql(aside, [name], readerSettings),
      ...moved,
    ].join(";\n"),
  );
  await postgres.query(endSessions([aside, ...roles.standIns.map((role) => role.name)]));
  return name;
}

/** Has the logins of a database read and delete only. Its sessions end, when they wrote so far. */
export async function holdWrites(
  sessions: InstanceSessions,
  database: string,
  roles: Roles,
): Promise<void> {
  const { postgres, inside } = sessions;
  const reader = roles.reader?.name ?? (await exchangeOwner(sessions, database, roles));
  await remember(sessions, await inside.query<Taken>(toTake(database, reader)));
  const all = await postgres.query<Taken>(remembered);
  const revoke = `revoke execute on function ${writers} from public`;
  const taken = saidOf(all, reader);
  await inside.query([...taken, revoke, grantDeletes(reader)].join(";\n"));
}

/** Has the owner act again, under the name it had. Sessions of who acted so far end. */
export async function releaseWrites(
  sessions: InstanceSessions,
  { owner, reader, standIns }: Roles,
): Promise<void> {
  const { postgres, inside } = sessions;
  await postgres.query(memory);
  const given = saidOf(await postgres.query<Taken>(remembered), null);
  const [own, name] = [quoted(owner.name), reader?.name ?? owner.name];
  const acting = quoted(name);
  const left = [`reassign owned by ${acting} to ${own}`, `drop owned by ${acting}`];
  const logins = standIns.map((role) => role.name);
  const moved = logins
    .map(quoted)
    .flatMap((each) => [
      `revoke ${acting} from ${each}`,
      `grant ${own} to ${each} with inherit true, set true`,
    ]);
  const exchanged = [...moved, `drop role ${acting}`, `alter role ${own} rename to ${acting}`];
  const hasReader = reader !== undefined;
  const free = `grant execute on function ${writers} to public`;
  await inside.query([...given, free, ...(hasReader ? left : [])].join(";\n"));
  await postgres.query(endSessions([name, ...logins]));
  await postgres.query(
    [
      ...(hasReader ? exchanged : []),
      `alter role ${acting} login`,
      "truncate public.miosa_taken",
    ].join(";\n"),
  );
}
