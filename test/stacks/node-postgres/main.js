import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import pg from "pg";

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 20 });
const many = (count, work) => Promise.all(Array.from({ length: count }, (_, i) => work(i)));

async function inTransaction(work) {
  const client = await pool.connect();
  try {
    await client.query("begin");
    await work(client);
    await client.query("commit");
  } catch (error) {
    await client.query("rollback");
    throw error;
  } finally {
    client.release();
  }
}

const move = (amount) => (client) =>
  client
    .query("update account set balance = balance - $1 where id = 1", [amount])
    .then(() => client.query("update account set balance = balance + $1 where id = 2", [amount]));

const phases = {
  async version() {
    process.stdout.write(JSON.parse(readFileSync("node_modules/pg/package.json", "utf8")).version);
  },
  async migrations() {
    await inTransaction(async (client) => {
      await client.query(`create table person (
        id integer generated always as identity primary key, name text not null,
        tags text[] not null default '{}', data jsonb, made_at timestamptz not null default now())`);
      await client.query("create index on person using gin (tags)");
      await client.query(`create table account (
        id integer primary key, balance integer not null check (balance >= 0))`);
      await client.query("insert into account values (1, 1000), (2, 0)");
    });
  },
  async crud() {
    const values = ["Ada", ["a", "b"], { deep: [1, null] }];
    const { rows } = await pool.query(
      "insert into person (name, tags, data) values ($1, $2, $3) returning *",
      values,
    );
    const { id, made_at, ...rest } = rows[0];
    assert.deepEqual(Object.values(rest), values);
    assert.ok(made_at instanceof Date);
    await pool.query("update person set name = $2 where id = $1", [id, "Lovelace"]);
    const found = await pool.query("select name from person where id = $1", [id]);
    assert.equal(found.rows[0].name, "Lovelace");
    assert.equal((await pool.query("delete from person where id = $1", [id])).rowCount, 1);
  },
  async transaction() {
    await many(20, () => inTransaction(move(10)));
    await assert.rejects(inTransaction(move(900)), { code: "23514" });
    const { rows } = await pool.query("select balance from account order by id");
    assert.deepEqual(rows, [{ balance: 800 }, { balance: 200 }]);
  },
  async prepared() {
    await many(400, async (i) => {
      const query = { name: `add-${i % 5}`, text: `select $1::int + ${i % 5} as sum`, values: [i] };
      const { rows } = await pool.query(query);
      assert.equal(rows[0].sum, i + (i % 5));
    });
  },
};

await phases[process.argv[2]]();
await pool.end();
