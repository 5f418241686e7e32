// Two repositories, beside the host and in an object store: one stands in for the other.
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createBackrest, listBackups } from "../../host/backrest.ts";
import { configureBackrest } from "../../host/backrest-config.ts";
import { writePasswd } from "../../host/binary.ts";
import { HostConfig, layout } from "../../host/config.ts";
import { keepSecrets } from "../../host/secret.ts";
import { storeProblem } from "../../host/store-problem.ts";
import type {
  HostCommandInput,
  HostCommandName,
  HostCommandReport,
} from "../../src/contract/command.ts";
import { until } from "../support/client.ts";
import { startTestHost, type TestHost } from "../support/host.ts";
import { startS3, type TestS3 } from "../support/s3.ts";

let host: TestHost;
let store: TestS3;
let oid: number;

beforeAll(async () => {
  store = await startS3();
  host = await startTestHost({ backup: HostConfig.shape.backup.parse({ s3: store.s3 }) });
  await sql("postgres", "create database proj_kept template miosa_template");
  await sql("postgres", "create database proj_other template miosa_template");
  await sql("proj_kept", "create table ledger as select generate_series(1, 100) as n");
  await sql(
    "postgres",
    `create role own_kept nologin; create role usr_kept login; grant own_kept to usr_kept;
     grant connect on database proj_kept to own_kept`,
  );
  const found = "select oid::int from pg_database where datname = 'proj_kept'";
  oid = (await sql("postgres", found))[0].oid;
  await backedUpTwice();
}, 60_000);

afterAll(async () => {
  await host?.stop();
  await store?.stop();
});

async function report<Name extends HostCommandName>(
  name: Name,
  input: HostCommandInput<Name>,
): Promise<HostCommandReport<Name>> {
  const response = await host.command(name, input);
  const body = (await response.json()) as { report: HostCommandReport<Name> };
  if (response.status !== 200) throw new Error(`${name}: ${JSON.stringify(body)}`);
  return body.report;
}

// By default the superuser finds nothing of a tenant's without its schema.
const options = "-c search_path=public";

async function sql(database: string, text: string) {
  const at = { host: join(host.config.directory, "run"), database, options };
  const client = new Client({ ...at, ...host.login });
  await client.connect();
  return (await client.query(text).finally(() => client.end())).rows;
}

async function momentNow(): Promise<string> {
  const text = `select to_char(clock_timestamp() at time zone 'UTC',
    'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as moment`;
  return (await sql("postgres", text))[0].moment;
}

const backupsOf = async (repository: number) =>
  (await report("base_backups", {})).base_backups.filter((one) => one.repository === repository);

/** Waits for a base backup in either repository, and for the second after the later one. */
async function backedUpTwice(): Promise<void> {
  await until(
    "a backup in the store",
    () => backupsOf(2),
    ({ length }) => length > 0,
  );
  const stopped = Date.parse((await backupsOf(2)).at(-1)?.stopped_at ?? "");
  const later = (now: number) => now > stopped + 1000;
  await until("the second after it", async () => Date.now(), later);
}

const inStep = () =>
  until(
    "the store to have all",
    () => report("archive", {}),
    ({ last_archived_wal, store: second }) => second?.copied_wal === last_archived_wal,
  );

async function recover(time: string) {
  const recovery_id = randomUUID();
  await report("recovery.start", { recovery_id, request: { database_oid: oid, target: { time } } });
  const status = () => report("recovery.status", { recovery_id });
  const isOver = ({ state }: { state: string }) => state === "ready" || state === "failed";
  return until("the recovery", status, isOver, 50);
}

/** Rows of the ledger in a recovery that is ready; ends it. */
async function rowsIn(recovery_id: string): Promise<number> {
  const scratch = join(host.config.directory, "scratch");
  const [name = ""] = readdirSync(scratch);
  const at = { host: join(scratch, name), port: 1, database: "proj_kept", options };
  const client = new Client({ ...at, ...host.login });
  await client.connect();
  const { rows } = await client.query("select count(*)::int as n from ledger");
  await client.end();
  await report("recovery.end", { recovery_id });
  return rows[0].n;
}

const repository = () => join(host.config.directory, "repository");

describe("while the store is down", () => {
  test("archiving, the window and recoveries go on with the first repository", async () => {
    await inStep();
    await store.misbehave("hang");
    await sql("proj_kept", "insert into ledger values (101)");
    const moment = await momentNow();
    const { spans } = await report("recovery_window", {});
    expect(Date.parse(spans.at(-1)?.to ?? "")).toBeGreaterThan(Date.parse(moment));
    const status = await recover(moment);
    expect(status).toMatchObject({ state: "ready", method: "filtered", repository: 1 });
    expect(await rowsIn(status.recovery_id)).toBe(101);
    const isBehind = (told: { store: { behind_since: string | null } | null }) =>
      told.store !== null && told.store.behind_since !== null;
    await until("the store to be known behind", () => report("archive", {}), isBehind);
    await store.misbehave("none");
    await inStep();
  });

  afterAll(() => store.misbehave("none"));
});

describe("without the first repository", () => {
  test("a database comes back from the store, and the repository heals itself", async () => {
    await sql("proj_kept", "insert into ledger values (102)");
    const moment = await momentNow();
    await sql("proj_kept", "drop table ledger");
    await report("recovery_window", {});
    await inStep();
    rmSync(repository(), { recursive: true });
    const status = await recover(moment);
    expect(status).toMatchObject({ state: "ready", method: "stock", repository: 2, error: null });
    expect(status.evidence).toMatch(/^recovery stopping before commit of transaction \d+, time /);
    expect(await rowsIn(status.recovery_id)).toBe(102);
    await until(
      "a new backup",
      () => backupsOf(1),
      ({ length }) => length > 0,
    );
    expect(existsSync(join(repository(), "archive", "main", "archive.info"))).toBe(true);
    const { spans } = await report("recovery_window", {});
    const covers = ({ from, to }: { from: string; to: string }) => from < moment && moment < to;
    expect(spans.some(covers)).toBe(true);
  });
});

/** Asks a store for its backups as another host of the same host would. */
function askedWith(change: Partial<NonNullable<HostConfig["backup"]["s3"]>>, key?: string) {
  const home = mkdtempSync(join(store.directory, "host-"));
  const s3 = { ...store.s3, ...change };
  const config = { ...host.config, directory: home, backup: { ...host.config.backup, s3 } };
  const { backrest, run } = layout(home);
  for (const directory of [backrest, run]) mkdirSync(directory);
  const own = keepSecrets(layout(host.config.directory).secrets);
  const secrets = key === undefined ? own : { ...own, repository_key: key };
  writePasswd(config);
  configureBackrest(config, secrets);
  return listBackups(createBackrest(config, secrets, 2), 2);
}

test("a store is reached by virtual host as well", async () => {
  const listed = await askedWith({ uri_style: "host" });
  expect(listed.map(({ label }) => label)).toEqual((await backupsOf(2)).map(({ label }) => label));
});

describe("a store that cannot be used", () => {
  const other = { key: "AKIASOMEBODY", key_secret: "another/secret", bucket: "another" };
  const cases = [
    ["another key", { key: other.key }, "check backup.s3.key "],
    ["another secret", { key_secret: other.key_secret }, "check backup.s3.key_secret"],
    ["another bucket", { bucket: other.bucket }, "check backup.s3.bucket"],
    ["another region", { region: "us-1" }, "check backup.s3.region"],
    ["unknown authorities", { ca_file: undefined }, "check backup.s3.ca_file"],
  ] as const;

  test.each(cases)("with %s is told in words that name the setting", async (_, change, words) => {
    const asked = askedWith(change);
    const problem = await asked.then(String, (error) => storeProblem(error.message));
    expect(problem).toContain(words);
  });

  test("with another encryption key is told in words that name it", async () => {
    const asked = askedWith({}, "k".repeat(43));
    const problem = await asked.then(String, (error) => storeProblem(error.message));
    expect(problem).toContain("check backup.encryption_key");
  });
});
