// A hostile tenant at its limits beside a quiet one: what the quiet one feels, measured in one run.
import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connected, createProject, query, until } from "../support/client.ts";
import { operatorQuery } from "../support/operator.ts";
import { storms } from "../support/storm.ts";
import { type OwnSystem, startSystem } from "../support/system.ts";

const rounds = 3;
const restMilliseconds = 1000;
const stormMilliseconds = 2000;
const paceMilliseconds = 10;
/** Whatever the rest was: below it nobody feels it. */
const unfeltMilliseconds = 20;
/** All tenants' commits share one WAL, and wait until the disk has what was written before. */
const flushMilliseconds = 250;

const stormFile = fileURLToPath(new URL("../support/storm.ts", import.meta.url));

let system: OwnSystem;
// biome-ignore lint/suspicious/noExplicitAny: tests read whatever JSON came.
let noisy: any;
let quiet: Client;

beforeAll(async () => {
  system = await startSystem();
  ({ database: noisy } = await createProject(system, { name: "Noisy" }));
  const { database } = await createProject(system, { name: "Quiet" });
  await query(database.database_url, "create table visit (id int primary key, n int)");
  const fill = "insert into visit select id, 0 from generate_series(1, 10000) as id";
  await query(database.database_url, fill);
  quiet = await connected(database.database_url);
});

afterAll(async () => {
  await quiet?.end();
  await system?.remove();
});

function p99(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(values.length * 0.99) - 1] ?? Number.NaN;
}

/** The quiet tenant's reads and writes for a while, at its own pace. */
async function measure(milliseconds: number): Promise<number> {
  const taken: number[] = [];
  const end = performance.now() + milliseconds;
  while (performance.now() < end) {
    const id = 1 + Math.floor(Math.random() * 10_000);
    const start = performance.now();
    if (taken.length % 2 === 0) await quiet.query("select n from visit where id = $1", [id]);
    else await quiet.query("update visit set n = n + 1 where id = $1", [id]);
    taken.push(performance.now() - start);
    await delay(paceMilliseconds);
  }
  return p99(taken);
}

/** What still runs of the noisy one's; its clients may be gone. */
function busy() {
  const text = "select pid from pg_stat_activity where state <> 'idle' and usename ~ '^usr_'";
  return operatorQuery(system, noisy.database, text);
}

/** Lets a storm loose; what it returns ends it. */
async function begin(name: string): Promise<() => Promise<void>> {
  const child = fork(stormFile, [name, noisy.database_url]);
  await once(child, "message");
  return async () => {
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    await until("The calm", busy, (rows) => rows.length === 0);
  };
}

describe("a quiet tenant beside one that", () => {
  test.each(Object.keys(storms))("%s", { timeout: 90_000 }, async (name) => {
    const bound = name === "writes its disk" ? flushMilliseconds : unfeltMilliseconds;
    const beyond: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const before = await measure(restMilliseconds);
      const end = await begin(name);
      const during = await measure(stormMilliseconds).finally(end);
      beyond.push(during - Math.max(2 * before, bound));
    }
    // This machine has other neighbours as well. What a storm does it does in every round.
    expect(Math.min(...beyond)).toBeLessThanOrEqual(0);
  });
});
