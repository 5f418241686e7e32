// What Postgres has of all tenants, in two queries however many they are.
import type { FoundDatabase, FoundRole, HostInventory } from "../core/host-port.ts";
import type { Query } from "./sql.ts";
import { fingerprint } from "./verifier.ts";

/** Reads the catalogs every database of a host shares. */
export async function takeInventory(query: Query): Promise<HostInventory> {
  const databases = (await query(databasesText)).map(databaseOf);
  const roles = (await query(rolesText)).map(roleOf);
  return { databases, roles };
}

const databasesText = `
  select datname::text as name, datallowconn, datconnlimit,
    coalesce(datacl, acldefault('d', datdba))::text[] as acl,
    array(
      select split_part(parameter, '=', 1)
      from pg_db_role_setting, unnest(setconfig) as parameter
      where setdatabase = pg_database.oid and setrole = 0
    ) as parameters
  from pg_database where datname like 'proj\\_%' order by datname`;

// The joined tables are made once each; a subquery for each role would read them a thousand times.
const rolesText = `
  with member_of as (
    select member, array_agg(r.rolname::text order by r.rolname) as names
    from pg_auth_members join pg_roles r on r.oid = roleid
    where inherit_option and set_option group by member
  ), becomes as (
    select setrole, array_agg(distinct split_part(parameter, '=', 2)) as names
    from pg_db_role_setting, unnest(setconfig) as parameter
    where parameter like 'role=%' group by setrole
  ), owns as (
    select refobjid, array_agg(distinct datname::text) as names
    from pg_shdepend
    join pg_roles r on r.oid = refobjid and r.rolname like 'usr\\_%'
    join pg_database d on d.oid = dbid
    where refclassid = 'pg_authid'::regclass and deptype = 'o' group by refobjid
  )
  select rolname::text as name, rolcanlogin,
    rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls as has_power,
    rolconnlimit <> -1 or coalesce(rolvaliduntil < 'infinity', false) or not rolinherit
      as is_limited,
    coalesce(member_of.names, '{}') as member_of,
    coalesce(becomes.names, '{}') as becomes,
    coalesce(description <> ${fingerprint}, false) as has_other_password,
    coalesce(owns.names, '{}') as owns_in
  from pg_authid
  left join member_of on member = pg_authid.oid
  left join becomes on setrole = pg_authid.oid
  left join owns on refobjid = pg_authid.oid
  left join pg_shdescription on objoid = pg_authid.oid and classoid = 'pg_authid'::regclass
  where rolname ~ '^(own|usr|ro)_' order by rolname`;

type Row = Readonly<Record<string, unknown>>;

function databaseOf(row: Row): FoundDatabase {
  return {
    name: String(row.name),
    allowsConnections: row.datallowconn === true,
    connectionLimit: Number(row.datconnlimit),
    privileges: Object.fromEntries(textsOf(row.acl).map(privilegeOf)),
    parameters: textsOf(row.parameters),
  };
}

function roleOf(row: Row): FoundRole {
  return {
    name: String(row.name),
    canLogin: row.rolcanlogin === true,
    hasPower: row.has_power === true,
    isLimited: row.is_limited === true,
    memberOf: textsOf(row.member_of),
    becomes: textsOf(row.becomes),
    hasOtherPassword: row.has_other_password === true,
    ownsIn: textsOf(row.owns_in),
  };
}

// `grantee=privileges/grantor`
function privilegeOf(item: string): [string, string] {
  const [grantee = "", rest = ""] = item.split("=");
  return [grantee, rest.split("/")[0] ?? ""];
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
