// One tenant fills a pooler with the text of prepared statements: the pooler gets its memory back,
// and a neighbour notices nothing.
import type { Client } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createStatementWatch, residentBytesOf } from "../../host/pooler/statement-memory.ts";
import { until } from "../support/client.ts";
import { openTestDatabases, type TestDatabase } from "../support/databases.ts";

const megabyte = 1024 ** 2;

let host: Awaited<ReturnType<typeof openTestDatabases>>;
let greedy: TestDatabase;
let quiet: Client;
beforeAll(async () => {
  host = await openTestDatabases();
  greedy = await host.create("proj_test_greedy");
  quiet = await host.connect(await host.create("proj_test_quiet"));
});
afterAll(async () => {
  await quiet?.end();
  await host?.stop();
});

async function fill(client: Client): Promise<void> {
  const pad = "x".repeat(1_000_000);
  for (let n = 0; n < 150; n++) {
    // The server refuses some for want of memory; the pooler keeps their text all the same.
    await client.query({ name: `s${n}`, text: `select ${n} /* ${n} ${pad} */` }).catch(() => null);
  }
}

test("memory that prepared statements take comes back, at their author's cost alone", async () => {
  const { transaction } = host.poolers;
  const resident = () => residentBytesOf(transaction.find()?.pid ?? 0);
  await quiet.query({ name: "mine", text: "select 1 as one" });
  const before = resident();
  const client = await host.connect(greedy);
  await fill(client);
  expect(resident() - before).toBeGreaterThan(100 * megabyte);
  const ended: (string | undefined)[] = [];
  const look = createStatementWatch(transaction);
  const enough = before + 80 * megabyte;
  await until(
    "The end of it",
    async () => {
      ended.push(await look());
      return resident();
    },
    (bytes) => bytes < enough,
    60,
  );
  expect(ended.filter((name) => name !== undefined)).toContain(greedy.name);
  expect(ended).not.toContain("proj_test_quiet");
  const { rows } = await quiet.query({ name: "mine", text: "select 1 as one" });
  expect(rows).toEqual([{ one: 1 }]);
  await expect(client.query("select 1")).rejects.toThrow();
  const again = await host.connect(greedy);
  expect((await again.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  await again.end();
});
