// A moment to look at before it is restored: read-only, through both poolers, gone after its time.
import { beforeAll, describe, expect, test } from "vitest";
import { call, connected, createProject, query, until } from "../support/client.ts";
import { follow } from "../support/follow.ts";
import { hostObjects, instanceOf } from "../support/operator.ts";
import { kill } from "../support/process.ts";
import { system } from "../support/shared-system.ts";

let id: string;
let url: string;
let stranger: string;
/** A moment at which the table was there with 500 rows. */
let before: string;

const rowsAt = async (where: string) =>
  (await query(where, "select count(*)::int as n from ledger"))[0]?.n;

async function over(restoreId: string) {
  const look = () => call(system, "GET", `/restores/${restoreId}`);
  const { body } = await until("an end", look, ({ body }) => body.data.finished_at !== null, 60);
  return body.data;
}

async function previewed(body: Record<string, unknown> = {}, databaseId = id) {
  const path = `/databases/${databaseId}/restores`;
  const wanted = { target_time: before, mode: "preview", ...body };
  const begun = await call(system, "POST", path, { body: wanted });
  expect(begun.status, begun.text).toBe(201);
  const preview = await over(begun.body.data.id);
  expect(preview, preview.error_message).toMatchObject({ state: "succeeded", mode: "preview" });
  const { body: answer } = await call(system, "GET", `/restores/${preview.id}/credentials`);
  return { preview, credentials: answer.data };
}

const isEnded = ({ body }: { readonly body: { readonly data: { readonly ended_at: unknown } } }) =>
  body.data.ended_at !== null;

const ended = (restoreId: string, seconds = 30) =>
  until("its end", () => call(system, "GET", `/restores/${restoreId}`), isEnded, seconds);

/** Instances of the database beside the one that serves it. */
async function besides(): Promise<readonly string[]> {
  const { database } = (await call(system, "GET", `/databases/${id}`)).body.data;
  const served = instanceOf(system, database);
  const { instances } = hostObjects(system);
  return instances.filter((name) => name.startsWith(database) && name !== served);
}

async function promoted(previewId: string, body: Record<string, unknown>) {
  const begun = await call(system, "POST", `/restores/${previewId}/promote`, { body });
  expect(begun.status, begun.text).toBe(201);
  return over(begun.body.data.id);
}

beforeAll(async () => {
  const { database } = await createProject(system, { name: "Previewed" });
  [id, url] = [database.id, database.database_url];
  stranger = (await createProject(system, { name: "Stranger" })).database.database_url;
  await query(url, "create table ledger as select generate_series(1, 500) as n");
  const window = () => call(system, "GET", `/databases/${id}/recovery-window`);
  await until("a window", window, ({ body }) => body.data.earliest < body.data.latest);
  const moment = `select to_char(clock_timestamp() at time zone 'UTC',
    'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as moment`;
  before = String((await query(url, moment))[0]?.moment);
  await query(url, "drop table ledger");
});

describe("a preview", () => {
  test("shows the rows of its moment through both poolers, and refuses every write", async () => {
    const { preview, credentials } = await previewed();
    for (const each of [credentials.database_url, credentials.database_url_session]) {
      expect(await rowsAt(each)).toBe(500);
      const write = query(each, "insert into ledger values (501)");
      await expect(write).rejects.toMatchObject({ code: "25006" });
    }
    expect(preview.progress.bytes_restored).toBe(preview.bytes_total);
    expect(preview.progress.replayed_lsn).toMatch(/^[0-9A-F]+\/[0-9A-F]+$/);
    const hour = Date.parse(preview.expires_at) - Date.parse(preview.finished_at);
    expect(hour).toBe(3_600_000);
    await expect(rowsAt(url)).rejects.toMatchObject({ code: "42P01" });
  });

  test("is for its own login alone, and its login for it alone", async () => {
    const [standing] = (await call(system, "GET", `/databases/${id}/restores`)).body.data;
    const path = `/restores/${standing.id}/credentials`;
    const { database_url: own } = (await call(system, "GET", path)).body.data;
    const logins = [url, stranger].map((each) => {
      const foreign = new URL(each);
      foreign.pathname = new URL(own).pathname;
      return foreign.href;
    });
    const databases = [url, stranger, "postgresql://x/postgres"].map((each) => {
      const elsewhere = new URL(own);
      elsewhere.pathname = new URL(each).pathname;
      return elsewhere.href;
    });
    for (const each of [...logins, ...databases]) await expect(connected(each)).rejects.toThrow();
    const another = await call(system, "POST", `/databases/${id}/restores`, {
      body: { target_time: before, mode: "preview" },
    });
    expect(another.status).toBe(409);
    expect(another.body.error).toMatchObject({
      code: "PREVIEW_EXISTS",
      details: { restore_id: standing.id },
    });
  });

  test("outlives a host program that was killed", async () => {
    const [standing] = (await call(system, "GET", `/databases/${id}/restores`)).body.data;
    const path = `/restores/${standing.id}/credentials`;
    const { database_url: own } = (await call(system, "GET", path)).body.data;
    kill(system.pid("host"));
    await until(
      "its rows",
      () => rowsAt(own).catch(() => null),
      (rows) => rows === 500,
    );
  });

  test("becomes the source's content at its URL, and ends", async () => {
    const [standing] = (await call(system, "GET", `/databases/${id}/restores`)).body.data;
    const path = `/restores/${standing.id}/credentials`;
    const reader = await connected((await call(system, "GET", path)).body.data.database_url);
    const restore = await promoted(standing.id, { mode: "in_place" });
    expect(restore).toMatchObject({
      state: "succeeded",
      mode: "in_place",
      preview_id: standing.id,
    });
    expect(await rowsAt(url)).toBe(500);
    expect((await ended(standing.id)).body.data.state).toBe("succeeded");
    await expect(reader.query("select 1")).rejects.toThrow();
    // What it was before is kept, for the undo.
    expect(await besides()).toHaveLength(1);
    expect((await call(system, "POST", `/restores/${restore.id}/undo`)).status).toBe(200);
    await expect(rowsAt(url)).rejects.toMatchObject({ code: "42P01" });
  });

  test("becomes a new database, which becomes the primary", async () => {
    const { preview } = await previewed();
    const restore = await promoted(preview.id, { mode: "new", name: "rescue" });
    expect(restore).toMatchObject({ state: "succeeded", mode: "new", preview_id: preview.id });
    await ended(preview.id);
    const path = `/databases/${restore.database_id}/promote`;
    for (const _ of ["once", "again"]) {
      const { status, body } = await call(system, "POST", path);
      expect({ status, isPrimary: body.data.is_primary }).toEqual({ status: 200, isPrimary: true });
    }
    const env = `/projects/${restore.project_id}/environments/production/boot-env`;
    const { body } = await call(system, "GET", env);
    expect(await rowsAt(body.data.env.DATABASE_URL)).toBe(500);
    const former = (await call(system, "GET", `/databases/${id}`)).body.data;
    expect(former).toMatchObject({ is_primary: false, state: "running" });
  });

  test("ends when it is told to, and by itself when its time is over", async () => {
    const { preview, credentials } = await previewed();
    const reader = await connected(credentials.database_url_session);
    const { status } = await call(system, "DELETE", `/restores/${preview.id}`);
    expect(status).toBe(200);
    await ended(preview.id, 30);
    await expect(reader.query("select 1")).rejects.toThrow();
    await expect(connected(credentials.database_url)).rejects.toThrow();
    const { preview: short } = await previewed({ keep_seconds: 10 });
    const before = await besides();
    await ended(short.id, 120);
    expect(await besides()).toHaveLength(before.length - 1);
  }, 200_000);
});

describe("the stream of a restore", () => {
  test("tells bytes and WAL positions as they come, and its end", async () => {
    const body = { target_time: before, mode: "preview" };
    const begun = await call(system, "POST", `/databases/${id}/restores`, { body });
    const { id: restoreId } = begun.body.data;
    const events = [];
    for await (const event of follow(system, `/restores/${restoreId}/stream`)) events.push(event);
    const last = events.at(-1);
    expect(last?.type).toBe("done");
    expect(last?.data).toMatchObject({ state: "succeeded", progress: { position: 0 } });
    const restored = events.map(({ data }) => data.progress?.bytes_restored ?? 0);
    expect(restored).toEqual([...restored].sort((one, other) => one - other));
    expect(restored.at(-1)).toBe(last?.data.bytes_total);
    const { start_lsn, replayed_lsn } = last?.data.progress ?? {};
    expect([start_lsn, replayed_lsn].join()).toMatch(/^[0-9A-F]+\/[0-9A-F]+,[0-9A-F]+\/[0-9A-F]+$/);
    await call(system, "DELETE", `/restores/${restoreId}`);
  });
});

describe("what is deleted", () => {
  test("comes back from its backups also when it is purged", async () => {
    const { project, database } = await createProject(system, { name: "Purged" });
    await query(database.database_url, "create table ledger as select generate_series(1, 9) as n");
    const path = `/databases/${database.id}`;
    const latest = async () => {
      const { body } = await call(system, "GET", `${path}/recovery-window`);
      return body.data.latest;
    };
    const target_time = await until("a window", latest, (latest) => latest !== null);
    await call(system, "DELETE", `/projects/${project.id}`, { body: { grace_seconds: 0 } });
    await until(
      "its end",
      () => call(system, "GET", path),
      ({ status }) => status === 404,
    );
    const restores = `${path}/restores`;
    const refusals = [
      [{ mode: "in_place" }, 409, "INVALID_STATE"],
      [{ mode: "new" }, 422, "VALIDATION_ERROR"],
    ] as const;
    for (const [wanted, status, code] of refusals) {
      const answer = await call(system, "POST", restores, { body: { target_time, ...wanted } });
      expect({ status: answer.status, code: answer.body.error.code }).toEqual({ status, code });
    }
    const { project_id } = (await call(system, "GET", `/databases/${id}`)).body.data;
    const body = { target_time, project_id, name: "revenant" };
    const begun = await call(system, "POST", restores, { body });
    expect(begun.status, begun.text).toBe(201);
    const restore = await over(begun.body.data.id);
    expect(restore, restore.error_message).toMatchObject({ state: "succeeded", project_id });
    const own = `/databases/${restore.database_id}/credentials`;
    expect(await rowsAt((await call(system, "GET", own)).body.data.url)).toBe(9);
  }, 200_000);
});
