import { beforeEach, describe, expect, test } from "vitest";
import { dump } from "../../src/dump/table.ts";
import { createTestApi, type TestApi } from "../support/api.ts";
import { runToEnd } from "../support/run.ts";

let api: TestApi;
let id: string;
let path: string;
let lane: string;

beforeEach(async () => {
  api = await createTestApi();
  const body = { name: "Smile Dental", data: { postgres: true } };
  const { data } = (await api.call("POST", "/api/v1/projects", { body })).body;
  id = data.databases[0].id;
  path = `/api/v1/databases/${id}`;
  lane = `project:${data.id}`;
});

async function backedUp(body: unknown = {}) {
  const answer = await api.call("POST", `${path}/backups`, { body });
  expect(answer.status).toBe(201);
  return answer.body.data;
}

async function link(backupId: string): Promise<URL> {
  const { body } = await api.call("POST", `${path}/backups/${backupId}/download`);
  return new URL(body.data.url);
}

const follow = ({ pathname, search }: URL) =>
  api.call("GET", `${pathname}${search}`, { key: null });

describe("a backup on demand", () => {
  test("is answered with what it is, and found again", async () => {
    const made = await backedUp({ name: "before the migration", retention_days: 7 });
    expect(made).toMatchObject({
      id: expect.stringMatching(/^bkp_[\da-f-]{36}$/),
      database_id: id,
      type: "logical",
      name: "before the migration",
      state: "succeeded",
      status: "succeeded",
      size_bytes: 5,
      checksum: "a".repeat(64),
    });
    expect(Date.parse(made.expires_at) - Date.parse(made.created_at)).toBe(7 * 86_400_000);
    const one = await api.call("GET", `${path}/backups/${made.id}`);
    expect(one.body.data).toEqual(made);
    expect((await api.call("GET", `${path}/backups`)).body).toEqual({ data: [made], total: 1 });
  });

  test("takes no body, and the older spelling answers bare", async () => {
    expect((await api.call("POST", `${path}/backups`)).status).toBe(201);
    const { status, body } = await api.call("POST", `${path}/backup`, { body: {} });
    expect(status).toBe(201);
    expect(body).toMatchObject({ id: body.backup_id, status: "succeeded" });
  });

  test("beside twenty others is refused, and says what to do", async () => {
    const [first] = await Promise.all([backedUp()]);
    for (let n = 1; n < 20; n++) await backedUp();
    const { status, body } = await api.call("POST", `${path}/backups`, { body: {} });
    expect(status).toBe(409);
    expect(body.error).toMatchObject({ code: "BACKUP_LIMIT", details: { backups_max: 20 } });
    expect((await api.call("DELETE", `${path}/backups/${first.id}`)).status).toBe(204);
    await backedUp();
  });

  test.each([
    ["retention_days", { retention_days: 31 }],
    ["retention_days", { retention_days: 0 }],
    ["name", { name: "" }],
  ])("with a bad %s is 422 and begins nothing", async (field, body) => {
    const answer = await api.call("POST", `${path}/backups`, { body });
    expect(answer.status).toBe(422);
    expect(Object.keys(answer.body.errors)).toEqual([field]);
    expect(api.host.things.dumps.size).toBe(0);
  });

  test("of a stopped database is refused with the remedy", async () => {
    await api.call("POST", `${path}/stop`);
    const { status, body } = await api.call("POST", `${path}/backups`, { body: {} });
    expect(status).toBe(409);
    expect(body.error.message).toMatch(/Start it first/);
  });

  test("is nobody else's, by any call", async () => {
    const made = await backedUp();
    const key = await api.addStranger();
    for (const [method, where] of [
      ["GET", `${path}/backups`],
      ["POST", `${path}/backups`],
      ["GET", `${path}/backups/${made.id}`],
      ["DELETE", `${path}/backups/${made.id}`],
      ["POST", `${path}/backups/${made.id}/download`],
    ] as const) {
      expect((await api.call(method, where, { key })).status).toBe(404);
    }
    const reader = await api.addKey(["databases:read"]);
    const call = (method: string, where: string) => api.call(method, where, { key: reader });
    expect((await call("POST", `${path}/backups`)).status).toBe(403);
    expect((await call("DELETE", `${path}/backups/${made.id}`)).status).toBe(403);
    expect((await call("POST", `${path}/backups/${made.id}/download`)).status).toBe(403);
  });

  test.each(["bkp_nothing", "bkp_019a0000-0000-7000-8000-000000000000", "20260101-000000F"])(
    "that is unknown is 404: %s",
    async (name) => {
      expect((await api.call("GET", `${path}/backups/${name}`)).status).toBe(404);
      const body = { backup_id: name };
      expect((await api.call("POST", `${path}/restores`, { body })).status).toBe(404);
    },
  );

  test("is restored by its id, and has its name in the restore", async () => {
    const { id: backup_id } = await backedUp();
    const body = { backup_id, mode: "in_place" };
    const { data } = (await api.call("POST", `${path}/restores`, { body })).body;
    expect(data).toMatchObject({ source: "dump", backup_id, mode: "in_place", database_id: id });
    await runToEnd(api, lane);
    const older = await api.call("POST", `${path}/restore`, { body: { backup_id } });
    expect(older.body).toMatchObject({ mode: "new", source_database_id: id, status: "running" });
    await runToEnd(api, lane);
    const { body: ended } = await api.call("GET", `/api/v1/restores/${older.body.id}`);
    expect(ended.data.state).toBe("succeeded");
  });
});

describe("a link", () => {
  test("opens the archive without a key, for a quarter of an hour", async () => {
    const made = await backedUp();
    const url = await link(made.id);
    const { status, body, headers } = await follow(url);
    expect({ status, body }).toEqual({ status: 200, body: "PGDMP" });
    expect(headers.get("content-length")).toBe("5");
    expect(headers.get("content-disposition")).toContain(`filename="${made.id}-`);
    api.clock.advanceTo(new Date(api.clock.now().getTime() + 15 * 60_000));
    const late = await follow(url);
    expect(late.status).toBe(403);
    expect(late.body.error.code).toBe("LINK_EXPIRED");
  });

  test.each(["expires", "signature", "name"])("with another %s is refused", async (what) => {
    const url = await link((await backedUp()).id);
    if (what === "name") url.pathname = `/downloads/${(await backedUp()).id}`;
    if (what === "expires") url.searchParams.set("expires", "99999999999");
    if (what === "signature") url.searchParams.set("signature", `k1.${"a".repeat(43)}`);
    const { status, body } = await follow(url);
    expect(status).toBe(403);
    expect(body.error.code).toBe("LINK_NOT_VALID");
  });

  test("to a backup that is gone is 404", async () => {
    const made = await backedUp();
    const url = await link(made.id);
    await api.call("DELETE", `${path}/backups/${made.id}`);
    expect((await follow(url)).status).toBe(404);
  });
});

describe("an import", () => {
  const send = (body: string, type = "application/octet-stream") =>
    api.call("POST", `${path}/imports`, { body, headers: { "content-type": type } });

  test("is a restore in place that can be undone, and no backup of the list", async () => {
    const { status, body } = await send("PGDMP and the rest");
    expect(status).toBe(201);
    expect(body.data).toMatchObject({
      source: "import",
      mode: "in_place",
      requested_target: expect.stringContaining("18 bytes"),
    });
    expect((await api.call("GET", `${path}/backups`)).body.total).toBe(0);
    await runToEnd(api, lane);
    expect((await api.call("POST", `/api/v1/restores/${body.data.id}/undo`)).status).toBe(200);
  });

  test("that is no archive, or JSON, or nothing, is 422 and begins nothing", async () => {
    expect((await send("a text")).body.error.code).toBe("NOT_AN_ARCHIVE");
    const json = await send('{"url":"https://example.com"}', "application/json");
    expect(json.status).toBe(422);
    expect(json.body.error.message).toMatch(/send the archive itself/);
    expect((await api.call("POST", `${path}/imports`)).status).toBe(422);
    expect((await api.call("GET", `${path}/restores`)).body.total).toBe(0);
    const rows = await api.context.db.select().from(dump);
    expect(rows.map(({ state }) => state)).toEqual(["failed"]);
  });

  test("repeated with the same idempotency key is carried out once", async () => {
    const headers = { "content-type": "application/octet-stream", "idempotency-key": "once" };
    const once = await api.call("POST", `${path}/imports`, { body: "PGDMP", headers });
    const twice = await api.call("POST", `${path}/imports`, { body: "PGDMP", headers });
    expect(twice.body).toEqual(once.body);
    expect(twice.headers.get("idempotency-replayed")).toBe("true");
    expect(api.host.things.dumps.size).toBe(1);
  });
});
