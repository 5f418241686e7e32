import os
import sys
from concurrent.futures import ThreadPoolExecutor

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool

URL = os.environ["DATABASE_URL"]


def version():
    print(psycopg.__version__)


def migrations():
    with psycopg.connect(URL) as connection:
        connection.execute(
            """create table person (
              id integer generated always as identity primary key, name text not null,
              tags text[] not null default '{}', data jsonb,
              made_at timestamptz not null default now())"""
        )
        connection.execute("create index on person using gin (tags)")
        connection.execute(
            """create table account (
              id integer primary key, balance integer not null check (balance >= 0))"""
        )
        with connection.cursor() as cursor:
            rows = [(1, 1000), (2, 0)]
            cursor.executemany("insert into account values (%s, %s)", rows)
    with psycopg.connect(URL, autocommit=True) as connection:
        connection.execute("create index concurrently on person (name)")


def crud():
    with psycopg.connect(URL, row_factory=dict_row) as connection:
        ada = {"name": "Ada", "tags": ["a", "b"], "data": {"deep": [1, None]}}
        row = connection.execute(
            "insert into person (name, tags, data) values (%s, %s, %s) returning *",
            (ada["name"], ada["tags"], Jsonb(ada["data"])),
        ).fetchone()
        assert {key: row[key] for key in ada} == ada, row
        change = "update person set name = %s where id = %s"
        connection.execute(change, ("Lovelace", row["id"]))
        with connection.cursor("by_name") as cursor:
            cursor.execute("select name from person where id = %s", (row["id"],))
            assert cursor.fetchall() == [{"name": "Lovelace"}]
        with connection.cursor().copy("copy person (name) from stdin") as copy:
            copy.write_row(("Grace",))
        assert connection.execute("delete from person").rowcount == 2


def move(connection, amount):
    with connection.transaction():
        connection.execute("update account set balance = balance - %s where id = 1", (amount,))
        connection.execute("update account set balance = balance + %s where id = 2", (amount,))


def transaction():
    with ConnectionPool(URL, min_size=1, max_size=20) as pool:

        def work(amount):
            with pool.connection() as connection:
                move(connection, amount)

        with ThreadPoolExecutor(20) as threads:
            list(threads.map(work, [10] * 20))
        try:
            work(900)
            raise AssertionError("The check did not hold.")
        except psycopg.errors.CheckViolation:
            pass
        with pool.connection() as connection:
            rows = connection.execute("select balance from account order by id").fetchall()
        assert rows == [(800,), (200,)], rows


def prepared():
    """The driver prepares by itself what is run five times on a connection."""

    def work(first):
        with psycopg.connect(URL, autocommit=True) as connection:
            for i in range(first, first + 20):
                text = f"select %s::int + {i % 3}"
                row = connection.execute(text, (i,)).fetchone()
                assert row == (i + i % 3,), row
                row = connection.execute("select %s::int", (i,), prepare=True).fetchone()
                assert row == (i,), row

    with ThreadPoolExecutor(20) as threads:
        list(threads.map(work, range(0, 400, 20)))


{each.__name__: each for each in (version, migrations, crud, transaction, prepared)}[sys.argv[1]]()
