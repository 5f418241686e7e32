import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { neonConfig, Pool } from "@neondatabase/serverless";
import { eq, sql } from "drizzle-orm";
import { drizzle as overWebSocket } from "drizzle-orm/neon-serverless";
import { drizzle as overNodePostgres } from "drizzle-orm/node-postgres";
import { drizzle as overPostgresJs } from "drizzle-orm/postgres-js";
import pg from "pg";
import postgres from "postgres";
import { account, person } from "./schema.js";

const url = process.env.DATABASE_URL;
const { host, protocol } = new URL(process.env.DATABASE_HTTP_URL);
Object.assign(neonConfig, {
  ...{ wsProxy: `${host}/v2`, useSecureWebSocket: protocol === "https:" },
  ...{ pipelineConnect: false, webSocketConstructor: WebSocket },
});
const open = {
  "node-postgres": () => overNodePostgres(new pg.Pool({ connectionString: url, max: 20 })),
  "postgres.js": () => overPostgresJs(postgres(url, { max: 20 })),
  serverless: () => overWebSocket(new Pool({ connectionString: url, max: 20 })),
};
const [driver, phase] = process.argv.slice(2);
const db = open[driver]();
const many = (count, work) => Promise.all(Array.from({ length: count }, (_, i) => work(i)));

const add = (tx, id, amount) =>
  tx
    .update(account)
    .set({ balance: sql`${account.balance} + ${amount}` })
    .where(eq(account.id, id));

const move = (amount) =>
  db.transaction(async (tx) => {
    await add(tx, 1, -amount);
    await add(tx, 2, amount);
  });

const phases = {
  async version() {
    const text = readFileSync("node_modules/drizzle-orm/package.json", "utf8");
    process.stdout.write(JSON.parse(text).version);
  },
  async crud() {
    const ada = { name: "Ada", tags: ["a", "b"], data: { deep: [1, null] } };
    const [{ id, madeAt, ...rest }] = await db.insert(person).values(ada).returning();
    assert.deepEqual(rest, ada);
    assert.ok(madeAt instanceof Date);
    await db.update(person).set({ name: "Lovelace" }).where(eq(person.id, id));
    const found = await db.select({ name: person.name }).from(person).where(eq(person.id, id));
    assert.deepEqual(found, [{ name: "Lovelace" }]);
    await db.delete(person).where(eq(person.id, id));
    assert.equal(await db.$count(person), 0);
  },
  async transaction() {
    await db.insert(account).values([
      { id: 1, balance: 1000 },
      { id: 2, balance: 0 },
    ]);
    await many(20, () => move(10));
    await assert.rejects(move(900), (error) => error.cause.code === "23514");
    const rows = await db.select().from(account).orderBy(account.id);
    assert.deepEqual(
      rows.map(({ balance }) => balance),
      [800, 200],
    );
  },
  async prepared() {
    const names = Array.from({ length: 20 }, (_, i) => ({ name: `p${i}`, tags: [] }));
    await db.insert(person).values(names);
    const byName = db
      .select()
      .from(person)
      .where(eq(person.name, sql.placeholder("name")))
      .prepare("by_name");
    await many(400, async (i) => {
      const [row] = await byName.execute({ name: `p${i % 20}` });
      assert.equal(row.name, `p${i % 20}`);
    });
  },
};

await phases[phase]();
await db.$client.end();
