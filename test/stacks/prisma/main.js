import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { PrismaPg } from "@prisma/adapter-pg";
import { PrismaClient } from "@prisma/client";

const adapter = new PrismaPg({ connectionString: process.env.DATABASE_URL, max: 20 });
const prisma = new PrismaClient({ adapter });
const many = (count, work) => Promise.all(Array.from({ length: count }, (_, i) => work(i)));

const move = (amount) =>
  prisma.$transaction(
    async (tx) => {
      const add = (id, increment) =>
        tx.account.update({ where: { id }, data: { balance: { increment } } });
      await add(1, -amount);
      await add(2, amount);
    },
    { maxWait: 20_000, timeout: 20_000 },
  );

const phases = {
  async version() {
    const text = readFileSync("node_modules/@prisma/client/package.json", "utf8");
    process.stdout.write(JSON.parse(text).version);
  },
  async crud() {
    const ada = { name: "Ada", tags: ["a", "b"], data: { deep: [1, null] } };
    const { id, madeAt, ...rest } = await prisma.person.create({ data: ada });
    assert.deepEqual(rest, ada);
    assert.ok(madeAt instanceof Date);
    await prisma.person.update({ where: { id }, data: { name: "Lovelace" } });
    assert.equal((await prisma.person.findUniqueOrThrow({ where: { id } })).name, "Lovelace");
    await prisma.person.delete({ where: { id } });
    assert.equal(await prisma.person.count(), 0);
  },
  async transaction() {
    const accounts = [
      { id: 1, balance: 1000 },
      { id: 2, balance: 0 },
    ];
    await prisma.$transaction([prisma.account.createMany({ data: accounts })]);
    await many(20, () => move(10));
    await assert.rejects(move(900));
    const rows = await prisma.account.findMany({ orderBy: { id: "asc" } });
    assert.deepEqual(
      rows.map(({ balance }) => balance),
      [800, 200],
    );
  },
  async prepared() {
    const people = Array.from({ length: 20 }, (_, i) => ({ name: `p${i}`, tags: [] }));
    await prisma.person.createMany({ data: people });
    await many(400, async (i) => {
      const name = `p${i % 20}`;
      assert.equal((await prisma.person.findFirstOrThrow({ where: { name } })).name, name);
      const rows = await prisma.$queryRaw`select ${i}::int + 1 as sum`;
      assert.deepEqual(rows, [{ sum: i + 1 }]);
    });
  },
};

await phases[process.argv[2]]();
await prisma.$disconnect();
