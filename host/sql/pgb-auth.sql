-- Run in database pgb_auth at every start; each statement may run again.
revoke connect, temporary on database pgb_auth from public;
grant connect on database pgb_auth to pgbouncer;
revoke all on schema public from public;

create schema if not exists pgbouncer;
revoke all on schema pgbouncer from public;
grant usage on schema pgbouncer to pgbouncer;

-- The one way PgBouncer learns a verifier. Whoever could harm other tenants gets none, so a
-- superuser cannot log in through a pooler, nor can a role that expired.
create or replace function pgbouncer.get_auth(p_role text)
returns table (usename text, passwd text)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select rolname::text, rolpassword
  from pg_catalog.pg_authid
  where rolname = p_role
    and rolname <> 'pgbouncer'
    and rolcanlogin
    and not rolsuper
    and not rolreplication
    and not rolbypassrls
    and (rolvaliduntil is null or rolvaliduntil > pg_catalog.now())
$$;
revoke all on function pgbouncer.get_auth(text) from public;
grant execute on function pgbouncer.get_auth(text) to pgbouncer;
