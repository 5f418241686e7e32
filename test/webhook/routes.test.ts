import { beforeEach, expect, it } from "vitest";
import { createTestApi, type TestApi } from "../support/api.ts";
import { runToEnd } from "../support/run.ts";

let api: TestApi;
let id: string;
beforeEach(async () => {
  api = await createTestApi();
  const body = { name: "Smile Dental", data: { postgres: true }, external_user_id: "user-7" };
  const { data } = (await api.call("POST", "/api/v1/projects", { body })).body;
  id = data.databases[0].id;
  await api.call("PATCH", `/api/v1/databases/${id}`, { body: { size: "medium" } });
  await api.call("POST", `/api/v1/databases/${id}/stop`);
});

const events = (query = "") => api.call("GET", `/api/v1/events${query}`);

it("tell what happened to a database, newest first, and for whom", async () => {
  const { body } = await events(`?database_id=${id}`);
  expect(body.data.map(({ type }: { type: string }) => type)).toEqual([
    "database.paused",
    "database.resized",
    "database.running",
    "database.created",
  ]);
  expect(body.data[1]).toMatchObject({
    data: { from: "small", to: "medium" },
    external_user_id: "user-7",
    operation_id: expect.any(String),
  });
});

it("are filtered by type and time, and page by cursor", async () => {
  expect((await events("?type=database.resized")).body.total).toBe(1);
  expect((await events("?since=2999-01-01T00:00:00Z")).body.total).toBe(0);
  const { body } = await events("?limit=1");
  expect((await events(`?limit=1&cursor=${body.next_cursor}`)).body.data[0].type).toBe(
    "database.resized",
  );
});

it.each(["type=database.exploded", "since=yesterday", "database_id=7"])(
  "with %s are 422 and name the field",
  async (query) => {
    const { status, body } = await events(`?${query}`);
    expect([status, Object.keys(body.errors)]).toEqual([422, [query.split("=")[0]]]);
  },
);

it("are nobody else's", async () => {
  const key = await api.addStranger();
  expect((await api.call("GET", "/api/v1/events", { key })).body.total).toBe(0);
  const keyless = await api.addKey(["databases:read"]);
  expect((await api.call("GET", "/api/v1/events", { key: keyless })).status).toBe(403);
});

it("tell how backups and restores go, and of which database", async () => {
  const path = `/api/v1/databases/${id}`;
  await api.call("POST", `${path}/start`);
  const { data } = (await api.call("GET", path)).body;
  const backup = (await api.call("POST", `${path}/backups`, { body: {} })).body.data;
  await runToEnd(api, `project:${data.project_id}`);
  const body = { backup_id: backup.id, name: "before" };
  const { data: restore } = (await api.call("POST", `${path}/restores`, { body })).body;
  await runToEnd(api, `project:${data.project_id}`);
  for (const [type, resource] of [
    ["backup.created", backup.id.slice("bkp_".length)],
    ["backup.succeeded", backup.id.slice("bkp_".length)],
    ["restore.created", restore.id],
    ["restore.succeeded", restore.id],
  ]) {
    const [told] = (await events(`?type=${type}`)).body.data;
    expect(told).toMatchObject({ resource_id: resource, external_user_id: "user-7" });
    expect([id, restore.database_id]).toContain(told.database_id);
    expect(told.operation_id).toEqual(expect.any(String));
  }
});

it("follow each other oldest first, and a cursor goes on without loss", async () => {
  const types = async (query: string) => {
    const { body } = await events(query);
    return {
      types: body.data.map(({ type }: { type: string }) => type),
      cursor: body.next_cursor as string,
    };
  };
  const first = await types("?order=asc&limit=3");
  expect(first.types).toEqual(["project.created", "database.created", "database.running"]);
  const second = await types(`?order=asc&cursor=${first.cursor}`);
  expect(second.types).toEqual(["database.resized", "database.paused"]);
  const third = await types(`?order=asc&types=project.*&cursor=${second.cursor}`);
  expect(third.types).toEqual([]);
  await api.call("POST", `/api/v1/databases/${id}/start`);
  expect((await types(`?order=asc&cursor=${third.cursor}`)).types).toEqual(["database.resumed"]);
});

it("go on after the id of one, by globs of types", async () => {
  const { body } = await events("?type=database.created");
  const after = await events(`?after=${body.data[0].id}&types=database.r*`);
  expect(after.body.data.map(({ type }: { type: string }) => type)).toEqual([
    "database.running",
    "database.resized",
  ]);
  expect((await events("?after=019a0000-0000-7000-8000-000000000001")).status).toBe(410);
  expect((await events(`?order=desc&after=${body.data[0].id}`)).status).toBe(422);
});
