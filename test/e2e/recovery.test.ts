// One database out of a shared host, back at a moment: exactly, beside its neighbours.
import { randomUUID } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { defaultSettings } from "../../src/contract/setting.ts";
import { startTestHost, type TestHost } from "../support/host.ts";
import {
  momentNow,
  tenantPassword as password,
  type RecoveringHost,
  recoveringHost,
} from "../support/recovering.ts";
import { scramVerifier } from "../support/scram.ts";

const owner = `own_${"a".repeat(20)}`;
const login = `usr_${"b".repeat(20)}`;
const renewed = { owner: `own_${"c".repeat(20)}`, login: `usr_${"d".repeat(20)}` };

let host: TestHost;
let report: RecoveringHost["report"];
let sql: RecoveringHost["sql"];
let oidOf: RecoveringHost["oidOf"];
let recover: RecoveringHost["recover"];
let settled: RecoveringHost["settled"];
let makeTenant: RecoveringHost["makeTenant"];
let scratchNames: RecoveringHost["scratchNames"];
let asTenant: <Result>(work: (client: Client) => Promise<Result>) => Promise<Result>;
/** A moment after each commit of the ledger, and how many rows it had then. */
const moments: { time: string; rows: number }[] = [];

beforeAll(async () => {
  host = await startTestHost();
  const recovering = recoveringHost(host);
  ({ report, sql, oidOf, recover, settled, makeTenant, scratchNames } = recovering);
  asTenant = (work) => recovering.asTenant("proj_ledger", login, work);
  await makeTenant("proj_ledger", { owner, login });
  for (let n = 0; n < 8; n++)
    await sql("postgres", `create database proj_n${n} template miosa_template`);
  await asTenant((client) => client.query("create table ledger (n int primary key, note text)"));
  await recovering.baseBackup();
}, 120_000);

afterAll(() => host?.stop());

/** Commits rows one by one and notes a moment after each, while neighbours do as they like. */
async function writeLedger(rows: number): Promise<void> {
  await asTenant(async (client) => {
    const { rows: found } = await client.query("select count(*)::int as n from ledger");
    for (let n = found[0].n + 1; n <= found[0].n + rows; n++) {
      await client.query("insert into ledger values ($1, $2)", [n, `note ${n}`]);
      moments.push({ time: (await client.query(momentNow)).rows[0].time, rows: n });
    }
  });
}

async function disturb(): Promise<void> {
  await sql("proj_n0", "create table t as select generate_series(1, 5000) n");
  await sql("proj_n0", "vacuum full pg_class");
  await sql("postgres", "create database proj_copy template proj_n1 strategy file_copy");
  await sql("postgres", "drop database proj_n2");
  await sql("postgres", "alter database proj_n3 rename to proj_renamed");
}

function aPreview() {
  const verifier = scramVerifier(password);
  const { suspend_after_seconds: _, ...settings } = defaultSettings;
  const name = `preview_${"e".repeat(20)}`;
  return { name, login: `pre_${"f".repeat(20)}`, verifier, keep_seconds: 600, settings };
}

const opener = ({ name, login: user }: ReturnType<typeof aPreview>) => {
  return { database: name, user, password };
};

describe("a recovery", () => {
  test("loads exactly what was committed by its target into another database", async () => {
    const oid = await oidOf("proj_ledger");
    await writeLedger(30);
    await disturb();
    await writeLedger(30);
    await asTenant((client) => client.query("drop table ledger"));
    await makeTenant("proj_new", renewed);
    const { time, rows } = moments[40] ?? { time: "", rows: 0 };
    const { recovery_id, status } = await recover(time, oid);
    expect(status).toMatchObject({ state: "ready", database: "proj_ledger", error: null });
    expect(status.evidence).toMatch(/^recovery stopping before commit of transaction \d+, time /);
    const into = { database: "proj_new", user: renewed.login, password };
    await report("recovery.load", { recovery_id, into });
    const { load } = await settled(recovery_id, (now) => now.load?.state !== "running");
    expect(load).toEqual({ database: "proj_new", state: "succeeded", error: null });
    const found = await sql("proj_new", "select count(*)::int as n, max(n) as last from ledger");
    expect(found).toEqual([{ n: rows, last: rows }]);
    const owned = await sql(
      "proj_new",
      "select tableowner from pg_tables where tablename = 'ledger'",
    );
    expect(owned).toEqual([{ tableowner: renewed.owner }]);
    await report("recovery.end", { recovery_id });
    expect(scratchNames()).toEqual([]);
  });

  test("of a database that was dropped meanwhile works by its oid", async () => {
    const oid = await oidOf("proj_n4");
    await sql(
      "proj_n4",
      `create table kept as select 7 as n; alter database proj_n4 owner to ${owner};
      grant connect on database proj_n4 to ${owner}`,
    );
    const [{ time }] = await sql("postgres", momentNow);
    await sql("postgres", "drop database proj_n4");
    const { recovery_id, status } = await recover(time, oid);
    expect(status).toMatchObject({ state: "ready", database: "proj_n4" });
    await report("recovery.end", { recovery_id });
  });

  test("takes reads only and is held for its tenant alone", async () => {
    const { recovery_id } = await recover(moments.at(-1)?.time ?? "", await oidOf("proj_ledger"));
    const socket = join(host.config.directory, "scratch", scratchNames()[0] ?? "");
    const client = new Client({ host: socket, port: 1, database: "proj_ledger", user: login });
    client.on("error", () => undefined);
    await client.connect();
    expect((await client.query("select count(*)::int as n from ledger")).rows).toEqual([{ n: 60 }]);
    await expect(client.query("delete from ledger")).rejects.toMatchObject({ code: "25006" });
    await client.end();
    const other = new Client({ host: socket, port: 1, database: "postgres", user: login });
    await expect(other.connect()).rejects.toMatchObject({ code: "28000" });
    await report("recovery.end", { recovery_id });
  });

  test("opened for reading is reached by its one login alone, through both poolers", async () => {
    const { recovery_id } = await recover(moments.at(-1)?.time ?? "", await oidOf("proj_ledger"));
    const preview = aPreview();
    await report("recovery.open", { recovery_id, preview });
    await report("recovery.open", { recovery_id, preview });
    const { transaction_port, session_port } = host.config.listen;
    for (const port of [transaction_port, session_port]) {
      const client = new Client({ host: "127.0.0.1", port, ...opener(preview) });
      await client.connect();
      const { rows } = await client.query("select count(*)::int as n, user from ledger");
      expect(rows).toEqual([{ n: 60, user: owner }]);
      await expect(client.query("delete from ledger")).rejects.toMatchObject({ code: "25006" });
      await client.end();
    }
    const refused = [
      { user: login, password },
      { database: "proj_ledger" },
      { database: "postgres" },
      { password: "a wrong one" },
    ];
    for (const changes of refused) {
      const client = { host: "127.0.0.1", port: transaction_port, ...opener(preview), ...changes };
      await expect(new Client(client).connect()).rejects.toThrow();
    }
    await host.crash();
    await host.start();
    const client = new Client({ host: "127.0.0.1", port: session_port, ...opener(preview) });
    await client.connect();
    expect((await client.query("select max(n) as n from ledger")).rows).toEqual([{ n: 60 }]);
    client.on("error", () => undefined);
    await report("recovery.end", { recovery_id });
    await expect(client.query("select 1")).rejects.toThrow();
    expect(scratchNames()).toEqual([]);
  });

  test("to a moment that is archived needs nothing that is not", async () => {
    const about = moments.at(-1)?.time ?? "";
    await report("recovery_window", { about });
    await sql("postgres", "alter system set archive_command = 'false'");
    await sql("postgres", "select pg_reload_conf()");
    try {
      const { spans } = await report("recovery_window", { about });
      expect(spans.some(({ from, to }) => from <= about && about <= to)).toBe(true);
    } finally {
      await sql("postgres", "alter system reset archive_command");
      await sql("postgres", "select pg_reload_conf()");
    }
    await report("recovery_window", {});
  });

  test("to a moment that is not archived fails with words and leaves nothing", async () => {
    const future = new Date(Date.now() + 3_600_000).toISOString();
    const { status } = await recover(future, await oidOf("proj_ledger"));
    expect(status).toMatchObject({ state: "failed" });
    expect(status.error).toMatch(/before configured recovery target was reached/);
    expect(scratchNames()).toEqual([]);
  });

  test("fails with words when its Postgres is killed, and leaves nothing", async () => {
    const begun = recover(moments.at(-1)?.time ?? "", await oidOf("proj_ledger"));
    const pidFile = () =>
      join(host.config.directory, "scratch", scratchNames()[0] ?? "", "data/postmaster.pid");
    await expect.poll(() => existsSync(pidFile()), { timeout: 30_000, interval: 2 }).toBe(true);
    process.kill(Number.parseInt(readFileSync(pidFile(), "utf8"), 10), "SIGKILL");
    const { status } = await begun;
    expect(status).toMatchObject({
      state: "failed",
      error: expect.stringMatching(/Recovery failed/),
    });
    expect(scratchNames()).toEqual([]);
  });

  test("is removed with everything when the host program was killed in the middle", async () => {
    const recovery_id = randomUUID();
    const request = {
      database_oid: await oidOf("proj_ledger"),
      target: { time: moments.at(-1)?.time ?? "" },
    };
    await report("recovery.start", { recovery_id, request });
    await host.crash();
    await host.start();
    expect(scratchNames()).toEqual([]);
    const { status } = await host.command("recovery.status", { recovery_id });
    expect(status).toBe(404);
  });

  test("refuses a base backup in which a byte was changed", async () => {
    const { base_backups } = await report("base_backups", {});
    const directory = join(host.config.directory, "repository", "backup", "main");
    for (const { label } of base_backups) {
      for (const name of readdirSync(join(directory, label, "bundle")))
        flip(join(directory, label, "bundle", name));
    }
    const { status } = await recover(moments.at(-1)?.time ?? "", await oidOf("proj_ledger"));
    expect(status).toMatchObject({
      state: "failed",
      error: expect.stringMatching(/The base backup \S+, or one it builds on, is damaged/),
    });
    expect(existsSync(join(host.config.directory, "data", "PG_VERSION"))).toBe(true);
    expect(await sql("proj_n0", "select count(*)::int as n from t")).toEqual([{ n: 5000 }]);
  });
});

function flip(file: string): void {
  const bytes = readFileSync(file);
  const at = Math.floor(bytes.length / 2);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(file, bytes);
}
