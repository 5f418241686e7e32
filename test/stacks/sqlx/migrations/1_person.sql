create table person (
  id integer generated always as identity primary key, name text not null,
  tags text[] not null default '{}', data jsonb);
create index on person using gin (tags);
