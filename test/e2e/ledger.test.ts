// Ledgers that are written while neighbours do what they like, recovered to random moments: what is
// there is what was committed by then, no row less and none more. MIOSA_PITR_TARGETS takes more
// moments, MIOSA_PITR_SEED the same again.
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { defaultSettings } from "../../src/contract/setting.ts";
import { startTestHost, type TestHost } from "../support/host.ts";
import {
  momentNow,
  tenantPassword as password,
  type RecoveringHost,
  type RecoveryStatus,
  recoveringHost,
} from "../support/recovering.ts";
import { scramVerifier } from "../support/scram.ts";
import { createChoice } from "../support/source.ts";

const targets = Number(process.env.MIOSA_PITR_TARGETS ?? 10);
const seed = Number(process.env.MIOSA_PITR_SEED ?? Date.now() % 1_000_000);
const writeMilliseconds = 15_000;
const millisecondsPerTarget = 20_000;
const concurrency = 2;

/** One row of a ledger: sent after, and acknowledged before, a moment; milliseconds. */
interface Written {
  readonly n: number;
  readonly sent: number;
  readonly acknowledged: number;
}

interface Ledger {
  readonly database: string;
  readonly owner: string;
  readonly login: string;
  readonly oid: number;
  readonly written: Written[];
}

const choice = createChoice(seed);
const lengthened = (prefix: string, name: string) => `${prefix}_${name.padEnd(20, "a")}`;

let host: TestHost;
let it: RecoveringHost;
const ledgers: Ledger[] = [];

beforeAll(async () => {
  host = await startTestHost();
  it = recoveringHost(host);
  for (const name of ["a", "b", "c"]) ledgers.push(await makeLedger(name));
  for (const name of ["d", "e"]) await it.sql("postgres", `create database proj_${name}`);
  await it.baseBackup();
  const isOver = AbortSignal.timeout(writeMilliseconds);
  await Promise.all([...ledgers.map((ledger) => write(ledger, isOver)), disturb(isOver)]);
}, 120_000);

afterAll(() => host?.stop());

async function makeLedger(name: string): Promise<Ledger> {
  const database = `proj_${name}`;
  const roles = { owner: lengthened("own", name), login: lengthened("usr", name) };
  await it.makeTenant(database, roles);
  await it.asTenant(database, roles.login, (client) =>
    client.query("create table ledger (n int primary key, hash text not null)"),
  );
  return { database, ...roles, oid: await it.oidOf(database), written: [] };
}

// Each row holds the hash of all before it.
const append = `insert into ledger
  select $1::int, md5(coalesce((select hash from ledger where n = $1::int - 1), '') || $1::int)`;

async function write({ database, login, written }: Ledger, isOver: AbortSignal): Promise<void> {
  await it.asTenant(database, login, async (client) => {
    for (let n = 1; !isOver.aborted; n++) {
      const sent = Date.now();
      await client.query(append, [n]);
      // The clock is read in whole milliseconds, rounded down.
      written.push({ n, sent, acknowledged: Date.now() + 1 });
      await delay(choice.number(10));
    }
  });
}

const disturbances: readonly (readonly [database: string, text: string])[] = [
  ["proj_d", "create table t as select generate_series(1, 20000) as n"],
  ["proj_d", "vacuum full t"],
  ["proj_d", "vacuum full pg_class"],
  ["postgres", "create database proj_copy template proj_e strategy file_copy"],
  ["proj_copy", "create table copied as select 1 as n"],
  ["postgres", "drop database proj_copy with (force)"],
  ["proj_d", "reindex system proj_d"],
  ["postgres", "checkpoint"],
  ["proj_d", "drop table t"],
  ["postgres", "alter database proj_e rename to proj_f"],
  ["postgres", "alter database proj_f rename to proj_e"],
];

async function disturb(isOver: AbortSignal): Promise<void> {
  for (let at = 0; !isOver.aborted; at++) {
    const [database, text] = disturbances[at % disturbances.length] ?? ["postgres", "checkpoint"];
    await it.sql(database, text);
  }
}

/** What is in a recovered ledger, read as its tenant through the pooler. */
async function read(recovery_id: string, at: number) {
  const id = at.toString(26).replaceAll(/\d/g, (digit) => "qrstuvwxyz"[Number(digit)] ?? "q");
  const { suspend_after_seconds: _, ...settings } = defaultSettings;
  const [name, login] = [lengthened("preview", id), lengthened("pre", id)];
  const preview = { name, login, verifier: scramVerifier(password), keep_seconds: 60, settings };
  await it.report("recovery.open", { recovery_id, preview });
  const { session_port: port } = host.config.listen;
  const client = new Client({ host: "127.0.0.1", port, database: name, user: login, password });
  await client.connect();
  try {
    const { rows } = await client.query(
      `select count(*)::int as rows, coalesce(max(one.n), 0)::int as last,
         count(*) filter (where one.hash <> md5(coalesce(before.hash, '') || one.n))::int as broken
       from ledger as one left join ledger as before on before.n = one.n - 1`,
    );
    return rows[0] as { rows: number; last: number; broken: number };
  } finally {
    await client.end();
  }
}

/** Recovers a ledger and holds what is there to what was committed by the target. */
async function expectPrefix({ oid, written, database }: Ledger, time: string, at: number) {
  const { recovery_id, status } = await it.recover(time, oid);
  const about = `${database} at ${time}, seed ${seed}: ${status.error}`;
  expect(status.state, about).toBe("ready");
  const { rows, last, broken } = await read(recovery_id, at);
  await it.report("recovery.end", { recovery_id });
  expect({ rows, broken }, about).toEqual({ rows: last, broken: 0 });
  const moment = Date.parse(time);
  const least = written.findLast(({ acknowledged }) => acknowledged <= moment)?.n ?? 0;
  // A target has microseconds, the clock here milliseconds.
  const most = written.findLast(({ sent }) => sent <= moment + 1)?.n ?? 0;
  expect(last, about).toBeGreaterThanOrEqual(least);
  expect(last, about).toBeLessThanOrEqual(most);
  return status;
}

/** The commit that evidence names, as a target would be written. */
function commitIn(evidence: string | null): string {
  const [, day = "", clock = ""] = /, time ([\d-]+) ([\d:.]+)\+00$/.exec(evidence ?? "") ?? [];
  return `${day}T${clock.padEnd(15, clock.includes(".") ? "0" : ".000000")}Z`;
}

/** The last commit that is there is not after the target, the next one is. */
function expectBetween({ reached_at, evidence }: RecoveryStatus, target: string): void {
  expect(`${reached_at}` <= target, `${reached_at} ${target}`).toBe(true);
  expect(target < commitIn(evidence), `${target} ${evidence}`).toBe(true);
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
        const status = await expectPrefix(ledger, target, at);
        expect(status.evidence).toMatch(/^recovery stopping before commit of transaction \d+/);
        expectBetween(status, target);
      }
    };
    await Promise.all(Array.from({ length: concurrency }, work));
    expect(it.scratchNames()).toEqual([]);
  },
  targets * millisecondsPerTarget,
);

test("a moment exactly on a commit holds it, the microsecond before does not", async () => {
  const [ledger] = ledgers;
  if (ledger === undefined) throw new Error("There is no ledger.");
  const last = ledger.written.at(-1)?.n ?? 0;
  await it.asTenant(ledger.database, ledger.login, (client) => client.query(append, [last + 1]));
  await it.sql("postgres", momentNow);
  // Nothing else commits now: the line that says why recovery stopped names the commit's time.
  const [{ time: later }] = await it.sql("postgres", momentNow);
  await it.asTenant(ledger.database, ledger.login, (client) => client.query(append, [last + 2]));
  const between = await it.recover(later, ledger.oid);
  await it.report("recovery.end", { recovery_id: between.recovery_id });
  const commit = commitIn(between.status.evidence);
  const rowsAt = async (time: string, at: number) => {
    const { recovery_id, status } = await it.recover(time, ledger.oid);
    expect(status.state, `${status.error}`).toBe("ready");
    const { last: found } = await read(recovery_id, at);
    await it.report("recovery.end", { recovery_id });
    return found;
  };
  expect(await rowsAt(commit, targets)).toBe(last + 2);
  const before =
    BigInt(Date.parse(`${commit.slice(0, 19)}Z`)) * 1000n + BigInt(commit.slice(20, 26));
  const earlier = new Date(Number((before - 1n) / 1000n)).toISOString();
  const digits = String((before - 1n) % 1000n).padStart(3, "0");
  expect(await rowsAt(earlier.replace("Z", `${digits}Z`), targets + 1)).toBe(last + 1);
});
