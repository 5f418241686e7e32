import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { DataSource, EntitySchema } from "typeorm";

const Person = new EntitySchema({
  name: "person",
  columns: {
    id: { type: Number, primary: true, generated: true },
    name: { type: "text" },
    tags: { type: "text", array: true },
    data: { type: "jsonb", nullable: true },
  },
});
const Account = new EntitySchema({
  name: "account",
  columns: { id: { type: Number, primary: true }, balance: { type: Number } },
  checks: [{ expression: "balance >= 0" }],
});

class First1700000000000 {
  async up(runner) {
    await runner.query(`create table person (
      id serial primary key, name text not null, tags text[] not null, data jsonb)`);
  }
}
class Second1700000000001 {
  async up(runner) {
    await runner.query(`create table account (
      id integer primary key, balance integer not null check (balance >= 0))`);
  }
}

const source = new DataSource({
  type: "postgres",
  url: process.env.DATABASE_URL,
  entities: [Person, Account],
  migrations: [First1700000000000, Second1700000000001],
  poolSize: 20,
});
const many = (count, work) => Promise.all(Array.from({ length: count }, (_, i) => work(i)));

const move = (amount) =>
  source.transaction(async (manager) => {
    await manager.decrement(Account, { id: 1 }, "balance", amount);
    await manager.increment(Account, { id: 2 }, "balance", amount);
  });

const phases = {
  async version() {
    const text = readFileSync("node_modules/typeorm/package.json", "utf8");
    process.stdout.write(JSON.parse(text).version);
  },
  async migrations() {
    assert.equal((await source.runMigrations()).length, 2);
  },
  async crud() {
    const people = source.getRepository(Person);
    const ada = { name: "Ada", tags: ["a", "b"], data: { deep: [1, null] } };
    const { id } = await people.save({ ...ada });
    assert.deepEqual({ ...(await people.findOneByOrFail({ id })) }, { id, ...ada });
    await people.update({ id }, { name: "Lovelace" });
    assert.equal((await people.findOneByOrFail({ id })).name, "Lovelace");
    assert.equal((await people.delete({ id })).affected, 1);
  },
  async transaction() {
    await source.getRepository(Account).insert([
      { id: 1, balance: 1000 },
      { id: 2, balance: 0 },
    ]);
    await many(20, () => move(10));
    await assert.rejects(move(900), { code: "23514" });
    const accounts = await source.getRepository(Account).find({ order: { id: "asc" } });
    assert.deepEqual(
      accounts.map(({ balance }) => balance),
      [800, 200],
    );
  },
  // It has no named statements of its own; the driver below has.
  async prepared() {
    await many(400, async (i) => {
      const runner = source.createQueryRunner();
      try {
        const client = await runner.connect();
        const text = "select $1::int + 2 as sum";
        const { rows } = await client.query({ name: "add", text, values: [i] });
        assert.equal(rows[0].sum, i + 2);
        assert.deepEqual(await runner.query("select $1::int as sum", [i]), [{ sum: i }]);
      } finally {
        await runner.release();
      }
    });
  },
};

if (process.argv[2] !== "version") await source.initialize();
await phases[process.argv[2]]();
if (source.isInitialized) await source.destroy();
