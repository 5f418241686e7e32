import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import postgres from "postgres";

const sql = postgres(process.env.DATABASE_URL, { max: 20 });
const many = (count, work) => Promise.all(Array.from({ length: count }, (_, i) => work(i)));

const move = (amount) =>
  sql.begin(async (tx) => {
    await tx`update account set balance = balance - ${amount} where id = 1`;
    await tx`update account set balance = balance + ${amount} where id = 2`;
  });

const phases = {
  async version() {
    const text = readFileSync("node_modules/postgres/package.json", "utf8");
    process.stdout.write(JSON.parse(text).version);
  },
  async migrations() {
    await sql.begin(async (tx) => {
      await tx`create table person (
        id integer generated always as identity primary key, name text not null,
        tags text[] not null default '{}', data jsonb, made_at timestamptz not null default now())`;
      await tx`create table account (
        id integer primary key, balance integer not null check (balance >= 0))`;
      await tx`insert into account values (1, 1000), (2, 0)`;
    });
    // Several statements in one simple query, as files of migrations are run.
    await sql.unsafe("create index on person (name); create index on person using gin (tags)");
  },
  async crud() {
    const person = { name: "Ada", tags: ["a", "b"], data: { deep: [1, null] } };
    const [{ id, made_at, ...rest }] = await sql`
      insert into person ${sql({ ...person, data: sql.json(person.data) })} returning *`;
    assert.deepEqual(rest, person);
    assert.ok(made_at instanceof Date);
    await sql`update person set name = ${"Lovelace"} where id = ${id}`;
    const found = await sql`select name from person where id in ${sql([id])}`;
    assert.equal(found[0].name, "Lovelace");
    const names = [];
    for await (const [row] of sql`select name from person`.cursor(1)) names.push(row.name);
    assert.deepEqual(names, ["Lovelace"]);
    assert.equal((await sql`delete from person where id = ${id}`).count, 1);
  },
  async transaction() {
    await many(20, () => move(10));
    await assert.rejects(move(900), { code: "23514" });
    const rows = await sql`select balance from account order by id`;
    assert.deepEqual([...rows], [{ balance: 800 }, { balance: 200 }]);
  },
  // Every tagged query is a named prepared statement here.
  async prepared() {
    const add = [
      (i) => sql`select ${i}::int + 0 as sum`,
      (i) => sql`select ${i}::int + 1 as sum`,
      (i) => sql`select ${i}::int + 2 as sum`,
    ];
    await many(400, async (i) => assert.equal((await add[i % 3](i))[0].sum, i + (i % 3)));
  },
};

await phases[process.argv[2]]();
await sql.end();
