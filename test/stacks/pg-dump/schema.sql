create schema shop;
create type shop.mood as enum ('sad', 'happy');
create extension pg_trgm schema shop;
create table shop.item (
  id serial primary key, name text not null, mood shop.mood not null default 'happy',
  made_at timestamptz not null default now());
create index on shop.item using gin (name shop.gin_trgm_ops);
insert into shop.item (name) select 'item ' || n from generate_series(1, 1000) n;
create materialized view shop.total as select mood, count(*) from shop.item group by mood;
create function shop.first() returns text language sql return (select min(name) from shop.item);
