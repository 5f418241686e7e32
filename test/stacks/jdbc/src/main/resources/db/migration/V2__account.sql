create table account (id integer primary key, balance integer not null check (balance >= 0));
insert into account values (1, 1000), (2, 0);
