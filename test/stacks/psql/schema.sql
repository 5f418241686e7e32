create table person (
  id integer generated always as identity primary key, name text not null unique,
  made_at timestamptz not null default now());
create index person_name_idx on person (name);
create table account (id integer primary key, balance integer not null check (balance >= 0));
insert into account values (1, 1000), (2, 0);
