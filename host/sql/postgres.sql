-- Run in database postgres at every start; each statement may run again.
do $$
begin
  if not exists (select from pg_roles where rolname = 'miosa_platform') then
    create role miosa_platform nologin;
  end if;
  if not exists (select from pg_roles where rolname = 'pgbouncer') then
    create role pgbouncer nologin;
  end if;
end
$$;

grant pg_use_reserved_connections to pgbouncer;

-- In a tenant's database its functions stand in public: one that fits better than the catalog's own
-- would be called in its place, with the rights of a superuser.
alter role miosa_control set search_path = pg_catalog, pg_temp;

-- A tenant has no business in the databases of the platform.
revoke connect, temporary on database postgres, template1 from public;

-- The control plane runs statements that refuse a transaction, such as CREATE DATABASE, through it.
create schema if not exists miosa;
revoke all on schema miosa from public;
create extension if not exists dblink schema miosa;

-- Where slow statements are found, with $1 in place of every constant.
create extension if not exists pg_stat_statements schema miosa;
