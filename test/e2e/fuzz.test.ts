// What a stranger can send before a login is read, at the poolers and at the host program's
// WebSocket: nothing ends, hangs or slows down, as a quiet tenant's queries beside it show.
//
// MIOSA_FUZZ_MESSAGES says how many, MIOSA_FUZZ_SEED repeats a run. `npm run test:fuzz` sends a
// million.
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, test } from "vitest";
import { call, connected, createProject } from "../support/client.ts";
import type { Load } from "../support/fuzz/load.ts";
import { system } from "../support/shared-system.ts";

const messages = Number(process.env.MIOSA_FUZZ_MESSAGES ?? 6000);
const seed = Number(process.env.MIOSA_FUZZ_SEED ?? Date.now() % 1_000_000);
const rounds = 3;
// What the same load without damage does not show: more than this.
const stallMilliseconds = 100;
const programs = ["pgbouncer_transaction", "pgbouncer_session", "host"] as const;

const sender = join(import.meta.dirname, "../support/fuzz/load.ts");

/** Has another process send a load; how many messages it sent. */
async function send(load: Load): Promise<number> {
  const child = fork(sender);
  child.send(load);
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`The sender ended with ${code}.`);
  });
  const [sent] = await Promise.race([once(child, "message"), ended]);
  ended.catch(() => undefined);
  return sent;
}

/** How long each of a tenant's queries took while `work` went on, in milliseconds. */
async function queriesWhile(url: string, work: Promise<unknown>): Promise<readonly number[]> {
  const client = await connected(url);
  const took: number[] = [];
  let isOver = false;
  work.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    const start = performance.now();
    await client.query("select 1");
    took.push(performance.now() - start);
  }
  await client.end();
  return took;
}

const median = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

test(`${messages} messages of strangers end nothing, and stall nobody (seed ${seed})`, async () => {
  const [{ database }, quiet] = [await createProject(system), await createProject(system)];
  const { body } = await call(system, "GET", `/databases/${quiet.database.id}/credentials`);
  const { username, port } = new URL(database.database_url);
  const victim = { user: username, database: database.database, port: Number(port) };
  const poolerPorts = [Number(port), Number(new URL(body.data.database_url_session).port)];
  const hostPort = Number(new URL(system.dev().host_url).port);
  const pids = () => programs.map((program) => system.pid(program));
  const before = pids();
  const longest = { odd: [] as number[], orderly: [] as number[] };
  let sent = 0;
  for (let round = 0; round < rounds; round++) {
    for (const kind of ["odd", "orderly"] as const) {
      const load = { victim, poolerPorts, hostPort, seed: seed + round };
      const isOrderly = kind === "orderly";
      // The orderly load is as dense, and shorter: it shows less of the machine's own stalls.
      const wanted = Math.ceil(messages / rounds / (isOrderly ? 5 : 1));
      const sending = send({ ...load, isOrderly, messages: wanted });
      const took = await queriesWhile(body.data.database_url, sending);
      longest[kind].push(Math.max(...took));
      if (!isOrderly) sent += await sending;
    }
  }
  expect(pids()).toEqual(before);
  expect(sent).toBeGreaterThanOrEqual(messages);
  process.stderr.write(`${sent} messages; longest query (ms): ${JSON.stringify(longest)}\n`);
  expect(median(longest.odd)).toBeLessThan(median(longest.orderly) + stallMilliseconds);
}, 3_600_000);
