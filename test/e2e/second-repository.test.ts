// The whole journey of a dropped table, twice: with both repositories, and from the object store
// after the one beside the host is gone.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { call, createProject, query, until } from "../support/client.ts";
import { all, filesIn, turnBits } from "../support/damage.ts";
import { command } from "../support/host-command.ts";
import { startS3, type TestS3 } from "../support/s3.ts";
import { type OwnSystem, startSystem } from "../support/system.ts";

let store: TestS3;
let system: OwnSystem;
let id: string;
let url: string;

beforeAll(async () => {
  store = await startS3();
  system = await startSystem({ backup: { s3: store.s3 } });
  const { database } = await createProject(system, { name: "Kept twice" });
  [id, url] = [database.id, database.database_url];
  await query(url, "create table ledger as select generate_series(1, 300) as n");
}, 120_000);

afterAll(async () => {
  await system?.remove();
  await store?.stop();
});

const rows = async () => (await query(url, "select count(*)::int as n from ledger"))[0]?.n;

async function momentNow(): Promise<string> {
  const text = `select to_char(clock_timestamp() at time zone 'UTC',
    'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as moment`;
  return String((await query(url, text))[0]?.moment);
}

/** Waits until a base backup that is over before `moment` is in the store, and its WAL after it. */
async function inStore(moment: string): Promise<void> {
  const backups = () => call(system, "GET", `/databases/${id}/backups`);
  type Backup = { readonly repository: number; readonly finished_at: string };
  await until("a base backup in the store", backups, ({ body }) =>
    body.data.some((one: Backup) => one.repository === 2),
  );
  const window = () => call(system, "GET", `/databases/${id}/recovery-window`);
  await until("the window", window, ({ body }) => body.data.latest > moment);
  const archive = () => command(system, "archive", {});
  await until("the WAL", archive, ({ last_archived_wal, store: second }) => {
    return second?.copied_wal === last_archived_wal;
  });
}

async function restoreInPlace(target_time: string) {
  const body = { target_time, mode: "in_place" };
  const begun = await call(system, "POST", `/databases/${id}/restores`, { body });
  expect(begun.status, begun.text).toBe(201);
  const look = () => call(system, "GET", `/restores/${begun.body.data.id}`);
  const isOver = (answer: Awaited<ReturnType<typeof look>>) =>
    ["succeeded", "failed"].includes(answer.body.data.state);
  return (await until("the restore", look, isOver, 50)).body.data;
}

async function undo(restoreId: string): Promise<void> {
  expect((await call(system, "POST", `/restores/${restoreId}/undo`)).status).toBe(200);
}

describe("a dropped table comes back at the same URL, and is undone,", () => {
  let moment: string;

  test("with both repositories", async () => {
    await inStore(await momentNow());
    moment = await momentNow();
    await query(url, "drop table ledger");
    const restore = await restoreInPlace(moment);
    expect(restore).toMatchObject({ state: "succeeded", repository: 1 });
    expect(await rows()).toBe(300);
    await undo(restore.id);
    await expect(rows()).rejects.toMatchObject({ code: "42P01" });
  });

  test("with a damaged base backup, which is told to the caller and to the operator", async () => {
    await inStore(await momentNow());
    const backups = join(system.home, "host", "repository", "backup", "main");
    // `latest` is a link to one of them.
    const files = filesIn(backups).filter((file) => /[FI]\/bundle\/\d+$/.test(file));
    const repair = all(files.map((file) => turnBits(file)));
    const restore = await restoreInPlace(moment).finally(repair);
    expect(restore, restore.error_message).toMatchObject({ state: "succeeded", repository: 2 });
    const [passed] = restore.passed_over;
    expect(passed.problem).toMatch(/^The base backup \S+, or one it builds on, is damaged/);
    expect(await rows()).toBe(300);
    const { body } = await call(system, "GET", "/admin/alerts?kind=backup_damaged");
    expect(body.data[0].message).toContain(passed.problem);
    await undo(restore.id);
  });

  test("from the store alone", async () => {
    await inStore(await momentNow());
    rmSync(join(system.home, "host", "repository"), { recursive: true });
    const restore = await restoreInPlace(moment);
    expect(restore).toMatchObject({ state: "succeeded", repository: 2, method: "stock" });
    expect(await rows()).toBe(300);
    await undo(restore.id);
    await expect(rows()).rejects.toMatchObject({ code: "42P01" });
  });
});
