import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Kysely, PostgresDialect, sql } from "kysely";
import { Migrator } from "kysely/migration";
import pg from "pg";

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 20 });
const db = new Kysely({ dialect: new PostgresDialect({ pool }) });
const many = (count, work) => Promise.all(Array.from({ length: count }, (_, i) => work(i)));

const migrations = {
  "1-person": {
    up: (trx) =>
      trx.schema
        .createTable("person")
        .addColumn("id", "serial", (column) => column.primaryKey())
        .addColumn("name", "text", (column) => column.notNull())
        .addColumn("data", "jsonb")
        .execute(),
  },
  "2-account": {
    up: async (trx) => {
      await trx.schema
        .createTable("account")
        .addColumn("id", "integer", (column) => column.primaryKey())
        .addColumn("balance", "integer", (column) => column.notNull().check(sql`balance >= 0`))
        .execute();
      await trx.schema.createIndex("person_name").on("person").column("name").execute();
    },
  },
};

const move = (amount) =>
  db.transaction().execute(async (trx) => {
    const add = (id, by) =>
      trx
        .updateTable("account")
        .set((eb) => ({ balance: eb("balance", "+", by) }))
        .where("id", "=", id)
        .execute();
    await add(1, -amount);
    await add(2, amount);
  });

const phases = {
  async version() {
    const text = readFileSync("node_modules/kysely/package.json", "utf8");
    process.stdout.write(JSON.parse(text).version);
  },
  async migrations() {
    const provider = { getMigrations: async () => migrations };
    const { error, results } = await new Migrator({ db, provider }).migrateToLatest();
    if (error !== undefined) throw error;
    assert.deepEqual(
      results.map(({ status }) => status),
      ["Success", "Success"],
    );
  },
  async crud() {
    const ada = { name: "Ada", data: { deep: [1, null] } };
    const { id, ...rest } = await db
      .insertInto("person")
      .values(ada)
      .returningAll()
      .executeTakeFirstOrThrow();
    assert.deepEqual(rest, ada);
    await db.updateTable("person").set({ name: "Lovelace" }).where("id", "=", id).execute();
    const found = await db.selectFrom("person").select("name").where("id", "=", id).execute();
    assert.deepEqual(found, [{ name: "Lovelace" }]);
    const deleted = await db.deleteFrom("person").where("id", "=", id).executeTakeFirst();
    assert.equal(deleted.numDeletedRows, 1n);
  },
  async transaction() {
    const accounts = [
      { id: 1, balance: 1000 },
      { id: 2, balance: 0 },
    ];
    await db.insertInto("account").values(accounts).execute();
    await many(20, () => move(10));
    await assert.rejects(move(900), { code: "23514" });
    const rows = await db.selectFrom("account").select("balance").orderBy("id").execute();
    assert.deepEqual(rows, [{ balance: 800 }, { balance: 200 }]);
  },
  // It has no named statements of its own; the pool it shares has.
  async prepared() {
    await many(400, async (i) => {
      const query = db.selectNoFrom(sql`${i}::int + 1`.as("sum")).compile();
      const { rows } = await pool.query({
        name: "add",
        text: query.sql,
        values: [...query.parameters],
      });
      assert.equal(rows[0].sum, i + 1);
    });
  },
};

await phases[process.argv[2]]();
await db.destroy();
