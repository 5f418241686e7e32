import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import knex from "knex";

const db = knex({ client: "pg", connection: process.env.DATABASE_URL, pool: { min: 0, max: 20 } });
const many = (count, work) => Promise.all(Array.from({ length: count }, (_, i) => work(i)));

const move = (amount) =>
  db.transaction(async (trx) => {
    await trx("account").where({ id: 1 }).decrement("balance", amount);
    await trx("account").where({ id: 2 }).increment("balance", amount);
  });

const phases = {
  async version() {
    const text = readFileSync("node_modules/knex/package.json", "utf8");
    process.stdout.write(JSON.parse(text).version);
  },
  async migrations() {
    await db.migrate.latest({ directory: "./migrations", loadExtensions: [".js"] });
    assert.equal(await db.migrate.currentVersion({ directory: "./migrations" }), "002");
  },
  async crud() {
    const ada = { name: "Ada", data: { deep: [1, null] } };
    const [{ id, ...rest }] = await db("person").insert(ada).returning("*");
    assert.deepEqual(rest, ada);
    await db("person").where({ id }).update({ name: "Lovelace" });
    assert.deepEqual(await db("person").where({ id }).pluck("name"), ["Lovelace"]);
    assert.equal(await db("person").where({ id }).del(), 1);
  },
  async transaction() {
    await db("account").insert([
      { id: 1, balance: 1000 },
      { id: 2, balance: 0 },
    ]);
    await many(20, () => move(10));
    await assert.rejects(move(900), { code: "23514" });
    assert.deepEqual(await db("account").orderBy("id").pluck("balance"), [800, 200]);
  },
  // Bindings are unnamed prepared statements; a named one goes through the driver below.
  async prepared() {
    await many(400, async (i) => {
      assert.deepEqual((await db.raw("select ?::int + 1 as sum", [i])).rows, [{ sum: i + 1 }]);
      const connection = await db.client.acquireConnection();
      try {
        const text = "select $1::int + 2 as sum";
        const { rows } = await connection.query({ name: "add", text, values: [i] });
        assert.equal(rows[0].sum, i + 2);
      } finally {
        await db.client.releaseConnection(connection);
      }
    });
  },
};

await phases[process.argv[2]]();
await db.destroy();
