// A dropped table comes back: at the same URL, and beside it, as a user of the API meets it.
import { beforeAll, describe, expect, test } from "vitest";
import { call, connected, createProject, query, until } from "../support/client.ts";
import { system } from "../support/shared-system.ts";

let id: string;
let url: string;
let projectId: string;
/** A moment at which the table was there, and after it had been dropped. */
let [before, after] = ["", ""];

async function momentAt(): Promise<string> {
  const text = `select to_char(clock_timestamp() at time zone 'UTC',
    'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as moment`;
  return String((await query(url, text))[0]?.moment);
}

const rowsAt = async (where: string) =>
  (await query(where, "select count(*)::int as n from ledger"))[0]?.n;

async function restored(body: Record<string, unknown>) {
  const begun = await call(system, "POST", `/databases/${id}/restores`, { body });
  expect(begun.status, begun.text).toBe(201);
  const path = `/restores/${begun.body.data.id}`;
  const isOver = ({ body: { data } }: Awaited<ReturnType<typeof call>>) =>
    data.state === "succeeded" || data.state === "failed";
  const { body: answer } = await until("an end", () => call(system, "GET", path), isOver, 60);
  return answer.data;
}

beforeAll(async () => {
  const { project, database } = await createProject(system, { name: "Restored" });
  [id, url, projectId] = [database.id, database.database_url, project.id];
  await query(url, "create table ledger as select generate_series(1, 500) as n");
  // A recovery begins at the first whole second after the newest base backup.
  const window = () => call(system, "GET", `/databases/${id}/recovery-window`);
  await until("a window", window, ({ body }) => body.data.earliest < body.data.latest);
  before = await momentAt();
  await query(url, "insert into ledger values (501)");
  await query(url, "drop table ledger");
  after = await momentAt();
});

describe("the recovery window", () => {
  test("begins with the database and ends about now", async () => {
    const { body } = await call(system, "GET", `/databases/${id}/recovery-window`);
    expect(Date.parse(body.data.latest)).toBeGreaterThan(Date.parse(after) - 1000);
    expect(body.data.earliest < before).toBe(true);
    expect(body.data.gaps).toEqual([]);
  });
});

describe("a restore in place", () => {
  test("brings the content back at the same URL while clients wait; undo too", async () => {
    const client = await connected(url);
    const restore = await restored({ target_time: before, mode: "in_place" });
    expect(restore).toMatchObject({ state: "succeeded", database_id: id, mode: "in_place" });
    expect(restore.evidence).toMatch(/^recovery stopping before commit/);
    // The open connection was held, not dropped.
    expect((await client.query("select count(*)::int as n from ledger")).rows).toEqual([
      { n: 500 },
    ]);
    await client.end();
    // It is answered as it is after two seconds, and goes on; a second one waits for it.
    const undo = async () => (await call(system, "POST", `/restores/${restore.id}/undo`)).status;
    const found = () => rowsAt(url).catch(({ code }) => code);
    await until("an undo to begin", undo, (status) => status === 200);
    await until("the former content", found, (rows) => rows === "42P01");
    await until("an undo to begin", undo, (status) => status === 200);
    await until("the restored content", found, (rows) => rows === 500);
  });

  test("reaches a moment from before an earlier restore in place", async () => {
    const restore = await restored({ target_time: after, mode: "in_place" });
    expect(restore.state).toBe("succeeded");
    await expect(rowsAt(url)).rejects.toMatchObject({ code: "42P01" });
  });
});

describe("a restore into a new database", () => {
  test("leaves the source as it is and has credentials of its own", async () => {
    const restore = await restored({ target_time: before, environment: "staging", name: "rescue" });
    expect(restore.state).toBe("succeeded");
    const { body } = await call(system, "GET", `/databases/${restore.database_id}`);
    expect(body.data).toMatchObject({
      name: "rescue",
      environment: "staging",
      is_primary: false,
      project_id: projectId,
      state: "running",
    });
    const path = `/databases/${restore.database_id}/credentials`;
    const credentials = (await call(system, "GET", path)).body.data;
    expect(credentials.user).not.toBe(new URL(url).username);
    expect(await rowsAt(credentials.url)).toBe(500);
    await expect(rowsAt(url)).rejects.toMatchObject({ code: "42P01" });
  });

  test("takes a restore point by its name", async () => {
    await query(url, "create table ledger as select generate_series(1, 7) as n");
    const point = await call(system, "POST", `/databases/${id}/restore-points`, {
      body: { name: "before the migration" },
    });
    expect(point.status).toBe(201);
    await query(url, "drop table ledger");
    const restore = await restored({ restore_point: "before the migration", name: "point" });
    const path = `/databases/${restore.database_id}/credentials`;
    expect(await rowsAt((await call(system, "GET", path)).body.data.url)).toBe(7);
  });
});

describe("a restore across what happened to the database since", () => {
  /** Carries out a change and waits for its end; the operation's id. */
  async function changed(method: string, path: string, body: unknown): Promise<string> {
    const answer = await call(system, method, `/databases/${id}${path}`, { body });
    expect(answer.status, answer.text).toBeLessThan(300);
    const running = () => call(system, "GET", `/operations?resource_id=${id}&status=running`);
    await until("its end", running, ({ body: { data } }) => data.length === 0);
    const { body: all } = await call(system, "GET", `/operations?resource_id=${id}`);
    return all.data[0].id;
  }

  test("a resize, a rotation and earlier restores in place is exact", async () => {
    const credentials = () => call(system, "GET", `/databases/${id}/credentials`);
    await query(url, "drop table if exists ledger");
    await query(url, "create table ledger as select generate_series(1, 11) as n");
    const then = await momentAt();
    await query(url, "insert into ledger values (12)");
    const resize = await changed("PATCH", "", { size: "medium" });
    await query(url, "insert into ledger values (13)");
    await changed("POST", "/credentials/rotate", { overlap_seconds: 0 });
    url = (await credentials()).body.data.url;
    expect((await restored({ target_time: then, mode: "in_place" })).state).toBe("succeeded");
    expect(await rowsAt(url)).toBe(11);
    await query(url, "drop table ledger");
    const beside = await restored({ before: { operation_id: resize }, name: "before-resize" });
    expect(beside.state, JSON.stringify(beside)).toBe("succeeded");
    const path = `/databases/${beside.database_id}/credentials`;
    expect(await rowsAt((await call(system, "GET", path)).body.data.url)).toBe(12);
  });

  test("while one is under way, another is 409 and begins nothing", async () => {
    const body = { target_time: before, mode: "in_place" };
    const path = `/databases/${id}/restores`;
    const [one, two] = await Promise.all([1, 2].map(() => call(system, "POST", path, { body })));
    expect([one?.status, two?.status].sort()).toEqual([201, 409]);
    const begun = one?.status === 201 ? one : two;
    const look = () => call(system, "GET", `/restores/${begun?.body.data.id}`);
    await until("its end", look, ({ body: { data } }) => data.state === "succeeded");
    expect(await rowsAt(url)).toBe(500);
  });
});

describe("a target that cannot be had", () => {
  test.each([
    ["in the future", { target_time: "2999-01-01T00:00:00Z" }],
    ["before the database was", { target_time: "2020-01-01T00:00:00Z" }],
  ])("%s is 422 with both ends and begins nothing", async (_, body) => {
    const { status, body: answer } = await call(system, "POST", `/databases/${id}/restores`, {
      body,
    });
    expect(status).toBe(422);
    expect(answer.error.code).toBe("TARGET_OUTSIDE_WINDOW");
    expect(answer.error.details.earliest < answer.error.details.latest).toBe(true);
  });

  test.each([
    ["none", {}],
    ["two at once", { target_time: "2026-01-01T00:00:00Z", restore_point: "x" }],
    ["no time", { target_time: "yesterday" }],
  ])("%s is 422 and names the field", async (_, body) => {
    const { status, body: answer } = await call(system, "POST", `/databases/${id}/restores`, {
      body,
    });
    expect(status).toBe(422);
    expect(Object.keys(answer.errors)).toEqual(["target_time"]);
  });
});
