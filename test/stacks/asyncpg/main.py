import asyncio
import json
import os
import sys

import asyncpg

URL = os.environ["DATABASE_URL"]


async def version():
    print(asyncpg.__version__)


async def migrations():
    connection = await asyncpg.connect(URL)
    async with connection.transaction():
        await connection.execute(
            """create table person (
              id integer generated always as identity primary key, name text not null,
              tags text[] not null default '{}', data jsonb,
              made_at timestamptz not null default now());
            create index on person using gin (tags);
            create type mood as enum ('sad', 'happy');
            create table account (
              id integer primary key, balance integer not null check (balance >= 0),
              mood mood not null default 'happy')"""
        )
        rows = [(1, 1000), (2, 0)]
        await connection.executemany("insert into account (id, balance) values ($1, $2)", rows)
    await connection.close()


async def crud():
    connection = await asyncpg.connect(URL)
    ada = {"name": "Ada", "tags": ["a", "b"], "data": json.dumps({"deep": [1, None]})}
    text = "insert into person (name, tags, data) values ($1, $2, $3) returning *"
    row = await connection.fetchrow(text, *ada.values())
    assert {key: row[key] for key in ada} == ada, row
    change = "update person set name = $2 where id = $1"
    await connection.execute(change, row["id"], "Lovelace")
    async with connection.transaction():
        async for found in connection.cursor("select name from person where id = $1", row["id"]):
            assert found["name"] == "Lovelace"
    await connection.copy_records_to_table("person", records=[("Grace",)], columns=["name"])
    assert await connection.execute("delete from person") == "DELETE 2"
    # A type of the tenant's own is looked up by a statement of the driver's.
    assert await connection.fetchval("select array_agg(mood) from account") == ["happy", "happy"]
    await connection.close()


async def move(pool, amount):
    async with pool.acquire() as connection, connection.transaction():
        text = "update account set balance = balance + $2 where id = $1"
        await connection.execute(text, 1, -amount)
        await connection.execute(text, 2, amount)


async def transaction():
    async with asyncpg.create_pool(URL, min_size=1, max_size=20) as pool:
        await asyncio.gather(*(move(pool, 10) for _ in range(20)))
        try:
            await move(pool, 900)
            raise AssertionError("The check did not hold.")
        except asyncpg.CheckViolationError:
            pass
        rows = await pool.fetch("select balance from account order by id")
        assert [row["balance"] for row in rows] == [800, 200], rows


async def prepared():
    """Every query with arguments is a named prepared statement here."""
    async with asyncpg.create_pool(URL, min_size=20, max_size=20) as pool:

        async def work(i):
            assert await pool.fetchval(f"select $1::int + {i % 5}", i) == i + i % 5

        await asyncio.gather(*(work(i) for i in range(400)))


phases = {each.__name__: each for each in (version, migrations, crud, transaction, prepared)}
asyncio.run(phases[sys.argv[1]]())
