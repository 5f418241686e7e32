// Ledgers that are written while their owners vacuum, build and drop, recovered to random moments:
// what is there is what was committed by then, no row less and none more. MIOSA_PITR_TARGETS takes
// more moments, MIOSA_PITR_SEED the same again.
import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RecoveryReport } from "../../src/contract/recovery.ts";
import { openTestDatabases, type TestDatabase } from "../support/databases.ts";
import { moment } from "../support/past.ts";
import { createChoice } from "../support/source.ts";

const targets = Number(process.env.MIOSA_PITR_TARGETS ?? 6);
const seed = Number(process.env.MIOSA_PITR_SEED ?? Date.now() % 1_000_000);
const writeMilliseconds = 12_000;
const millisecondsPerTarget = 30_000;
const concurrency = 2;

/** One row of a ledger: sent after, and acknowledged before, a moment; milliseconds. */
interface Written {
  readonly n: number;
  readonly sent: number;
  readonly acknowledged: number;
}

interface Ledger extends TestDatabase {
  readonly written: Written[];
}

const choice = createChoice(seed);

let host: Awaited<ReturnType<typeof openTestDatabases>>;
const ledgers: Ledger[] = [];

beforeAll(async () => {
  host = await openTestDatabases();
  for (const name of ["a", "b"]) ledgers.push(await makeLedger(`proj_test_ledger_${name}`));
  const isOver = AbortSignal.timeout(writeMilliseconds);
  await Promise.all(ledgers.flatMap((ledger) => [write(ledger, isOver), disturb(ledger, isOver)]));
}, 120_000);

afterAll(() => host?.stop());

async function asTenant<Result>(of: TestDatabase, work: (client: Client) => Promise<Result>) {
  const client = await host.connect(of, "session");
  return work(client).finally(() => client.end());
}

async function makeLedger(name: string): Promise<Ledger> {
  const made = await host.create(name);
  await asTenant(made, (client) =>
    client.query("create table ledger (n int primary key, hash text not null)"),
  );
  await host.databases.backUp(name, "full");
  return { ...made, written: [] };
}

// Each row holds the hash of all before it.
const append = `insert into ledger
  select $1::int, md5(coalesce((select hash from ledger where n = $1::int - 1), '') || $1::int)`;

async function write(ledger: Ledger, isOver: AbortSignal): Promise<void> {
  await asTenant(ledger, async (client) => {
    for (let n = 1; !isOver.aborted; n++) {
      const sent = Date.now();
      await client.query(append, [n]);
      // The clock is read in whole milliseconds, rounded down.
      ledger.written.push({ n, sent, acknowledged: Date.now() + 1 });
      await delay(choice.number(10));
    }
  });
}

const disturbances = [
  "create table other as select generate_series(1, 20000) as n",
  "vacuum full other",
  "begin; delete from other; rollback",
  "create index on other (n)",
  "checkpoint",
  "drop table other",
  "create role helper",
  "drop role helper",
  "reindex table ledger",
];

async function disturb(ledger: Ledger, isOver: AbortSignal): Promise<void> {
  await asTenant(ledger, async (client) => {
    for (let at = 0; !isOver.aborted; at++) {
      for (const text of (disturbances[at % disturbances.length] ?? "").split("; ")) {
        await client.query(text);
      }
    }
  });
}

/** Recovers a database to a moment, and tells what its reader finds. */
async function read<Row>(of: TestDatabase, time: string, at: number, text: string) {
  const line = `proj_test_seen_${at}`;
  const recovery_id = await host.databases.recover(
    { database: of.name, target: { time } },
    "preview",
  );
  const report = await host.commands["recovery.status"]({ recovery_id });
  const preview = host.previewOf(of.name, line);
  await host.commands["recovery.open"]({ recovery_id, preview });
  const { rows } = await asTenant({ ...of, name: line }, (client) => client.query(text));
  await host.databases.removePreview(line);
  return { report, found: rows[0] as Row };
}

const ledgerText = `select count(*)::int as rows, coalesce(max(one.n), 0)::int as last,
    count(*) filter (where one.hash <> md5(coalesce(before.hash, '') || one.n))::int as broken
  from ledger as one left join ledger as before on before.n = one.n - 1`;

/** Recovers a ledger and holds what is there to what was committed by the target. */
async function expectPrefix(ledger: Ledger, time: string, at: number): Promise<RecoveryReport> {
  const { name, written } = ledger;
  const about = `${name} at ${time}, seed ${seed}`;
  const { report, found } = await read<{ rows: number; last: number; broken: number }>(
    ...([ledger, time, at, ledgerText] as const),
  );
  const { rows, last, broken } = found;
  expect({ rows, broken }, about).toEqual({ rows: last, broken: 0 });
  const target = Date.parse(time);
  const least = written.findLast(({ acknowledged }) => acknowledged <= target)?.n ?? 0;
  // A target has microseconds, the clock here milliseconds.
  const most = written.findLast(({ sent }) => sent <= target + 1)?.n ?? 0;
  expect(last, about).toBeGreaterThanOrEqual(least);
  expect(last, about).toBeLessThanOrEqual(most);
  return report;
}

function randomTarget(written: readonly Written[]): string {
  const [first, last] = [written[0]?.sent ?? 0, written.at(-1)?.acknowledged ?? 0];
  const offset = (choice.number(65_536) / 65_536) * (last - first);
  const microseconds = String(choice.number(1000)).padStart(3, "0");
  return new Date(first + offset).toISOString().replace("Z", `${microseconds}Z`);
}

test(
  `${targets} random moments (seed ${seed}) are each what was committed by then`,
  async () => {
    let next = 0;
    const work = async () => {
      for (let at = next++; at < targets; at = next++) {
        const ledger = choice.pick(ledgers) ?? ledgers[0];
        if (ledger === undefined) throw new Error("There is no ledger.");
        const target = randomTarget(ledger.written);
        const { reached_at } = await expectPrefix(ledger, target, at);
        expect(`${reached_at}` <= target, `${reached_at} ${target}`).toBe(true);
      }
    };
    await Promise.all(Array.from({ length: concurrency }, work));
  },
  targets * millisecondsPerTarget,
);

test("a moment exactly on a commit holds it, the microsecond before does not", async () => {
  const [ledger] = ledgers;
  if (ledger === undefined) throw new Error("There is no ledger.");
  const last = ledger.written.at(-1)?.n ?? 0;
  await asTenant(ledger, (client) => client.query(append, [last + 1]));
  await asTenant(ledger, (client) => client.query(append, [last + 2]));
  const later = await asTenant(ledger, async (client) => {
    await client.query("create table later ()");
    return moment((await client.query("select clock_timestamp()::text as at")).rows[0].at);
  });
  const { report } = await read(ledger, later, targets, "select 1");
  // The commit of `later` is the last one by then: what was recovered to says when that was.
  const commit = `${report.reached_at}`;
  const micro =
    BigInt(Date.parse(`${commit.slice(0, 19)}Z`)) * 1000n + BigInt(commit.slice(20, 26));
  const earlier = new Date(Number((micro - 1n) / 1000n)).toISOString();
  const digits = String((micro - 1n) % 1000n).padStart(3, "0");
  const before = earlier.replace("Z", `${digits}Z`);
  const isThere = "select to_regclass('later') is not null as there, max(n)::int as n from ledger";
  const at = await read(ledger, commit, targets + 1, isThere);
  expect(at.found).toEqual({ there: true, n: last + 2 });
  const short = await read(ledger, before, targets + 2, isThere);
  expect(short.found).toEqual({ there: false, n: last + 2 });
});
