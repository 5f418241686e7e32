import { beforeEach, describe, expect, it } from "vitest";
import { organization } from "../../src/account/table.ts";
import { event } from "../../src/webhook/table.ts";
import { createTestApi, type TestApi } from "../support/api.ts";
import { purge } from "../support/purge.ts";

const day = 86_400;
const projects = "/api/v1/projects";

let api: TestApi;
let path: string;
let database: string;
let id: string;
beforeEach(async () => {
  api = await createTestApi();
  const body = { name: "Smile Dental", slug: "smile", data: { postgres: true } };
  const { data } = (await api.call("POST", projects, { body })).body;
  id = data.id;
  path = `${projects}/${id}`;
  database = `/api/v1/databases/${data.databases[0].id}`;
});

const later = (seconds: number) =>
  api.clock.advanceTo(new Date(api.clock.now().getTime() + seconds * 1000));
const get = async (of: string) => (await api.call("GET", of)).body.data;
const undelete = () => api.call("POST", `${path}/undelete`);
const add = (name: string) =>
  api.call("POST", `${path}/data-services`, { body: { type: "postgres", name } });
const countOf = async () =>
  (await api.context.db.select().from(organization)).map(({ projectsCount }) => projectsCount)[0];

describe("a deleted project", () => {
  it("takes its databases with it, and brings them back", async () => {
    const { status, body } = await api.call("DELETE", path);
    expect([status, body.data.state]).toEqual([200, "deleted"]);
    const { purge_at } = body.data;
    expect(await get(path)).toMatchObject({ state: "deleted", purge_at });
    expect(await get(database)).toMatchObject({ state: "deleted", purge_at });
    expect((await api.call("GET", projects)).body.total).toBe(0);
    expect((await api.call("GET", `${projects}?state=deleted`)).body.total).toBe(1);

    const refused = await api.call("POST", `${database}/undelete`);
    expect([refused.status, refused.body.error.code]).toEqual([409, "PROJECT_NOT_ACTIVE"]);
    expect(refused.body.error.details.project_id).toBe(id);

    const back = await undelete();
    expect([back.status, back.body.data.state]).toEqual([200, "active"]);
    expect(await get(database)).toMatchObject({ state: "running", purge_at: null });
    expect((await undelete()).status).toBe(200);
  });

  it("brings back what went with it, and not what was deleted before it", async () => {
    const reports = `/api/v1/databases/${(await add("reports")).body.data.id}`;
    await api.call("DELETE", reports);
    await api.call("DELETE", path);
    await api.call("DELETE", `${database}?grace_seconds=600`);
    await undelete();
    expect((await get(reports)).state).toBe("deleted");
    expect((await get(database)).state).toBe("running");
  });

  it("lets nothing be made in it, and nobody boot from it", async () => {
    await api.call("DELETE", path);
    const made = await add("reports");
    expect([made.status, made.body.error.code]).toEqual([409, "PROJECT_NOT_ACTIVE"]);
    const elsewhere = await api.call("POST", "/api/v1/databases", { body: { project_id: id } });
    expect(elsewhere.status).toBe(409);
    for (const name of ["production", "staging"]) {
      const boot = await api.call("GET", `${path}/environments/${name}/boot-env`);
      expect(boot.status).toBe(404);
    }
  });

  it("is purged after its grace time with all in it, however much longer that had", async () => {
    const reports = `/api/v1/databases/${(await add("reports")).body.data.id}`;
    await api.call("DELETE", `${reports}?grace_seconds=604800`);
    await api.call("DELETE", path);
    later(day - 1);
    await purge(api);
    expect((await get(path)).state).toBe("deleted");
    later(2);
    await purge(api);
    for (const each of [path, database, reports]) {
      expect((await api.call("GET", each)).status, each).toBe(404);
    }
    expect((await undelete()).status).toBe(404);
    expect(api.host.isEmpty()).toBe(true);
    const types = (await api.context.db.select().from(event)).map(({ type }) => type);
    expect(types.filter((type) => type.startsWith("project.")).slice(-2)).toEqual([
      "project.deleted",
      "project.purged",
    ]);
  });

  it("deleted again keeps its end, unless the new one is earlier: its databases too", async () => {
    const first = (await api.call("DELETE", `${path}?grace_seconds=600`)).body.data.purge_at;
    expect((await api.call("DELETE", path)).body.data.purge_at).toBe(first);
    const again = await api.call("DELETE", path, { body: { grace_seconds: 60 } });
    expect(again.status).toBe(200);
    expect(again.body.data.purge_at < first).toBe(true);
    expect((await get(database)).purge_at).toBe(again.body.data.purge_at);
  });

  it("goes at once when it is deleted again without grace, and is counted once", async () => {
    await api.call("POST", projects, { body: { name: "Other" } });
    expect(await countOf()).toBe(2);
    await api.call("DELETE", path);
    expect(await countOf()).toBe(1);
    expect((await api.call("DELETE", `${path}?grace_seconds=0`)).status).toBe(204);
    expect(await countOf()).toBe(1);
    expect((await api.call("GET", database)).status).toBe(404);
    expect(api.host.isEmpty()).toBe(true);
  });

  it("leaves its slug to another; then it comes back under a new one", async () => {
    await api.call("DELETE", path);
    const taken = await api.call("POST", projects, { body: { name: "B", slug: "smile" } });
    expect(taken.status).toBe(201);
    const { status, body } = await undelete();
    expect([status, body.error.code]).toEqual([409, "PROJECT_SLUG_TAKEN"]);
    expect(await countOf()).toBe(1);
    await api.call("PATCH", path, { body: { slug: "smile-2" } });
    expect((await undelete()).status).toBe(200);
    expect(await countOf()).toBe(2);
  });

  it("comes back beside the default project that took its place", async () => {
    const first = (await api.call("POST", "/api/v1/databases", { body: { name: "a" } })).body.data;
    await api.call("DELETE", `${projects}/${first.project_id}`);
    const second = (await api.call("POST", "/api/v1/databases", { body: { name: "a" } })).body.data;
    expect(second.project_id).not.toBe(first.project_id);
    await api.call("PATCH", `${projects}/${first.project_id}`, { body: { slug: "former" } });
    expect((await api.call("POST", `${projects}/${first.project_id}/undelete`)).status).toBe(200);
    const third = (await api.call("POST", "/api/v1/databases", { body: { name: "b" } })).body.data;
    expect(third.project_id).toBe(second.project_id);
  });

  it("is not undeleted over the quota", async () => {
    const key = await api.addStranger();
    const make = (name: string) => api.call("POST", projects, { body: { name }, key });
    const own = `${projects}/${(await make("First")).body.data.id}`;
    await api.call("DELETE", own, { key });
    for (let made = 0; made < 10; made++) await make(`P${made}`);
    const { status, body } = await api.call("POST", `${own}/undelete`, { key });
    expect([status, body.error.code]).toEqual([403, "QUOTA_EXCEEDED"]);
  });

  it("is counted once more when many undelete it at once", async () => {
    await api.call("DELETE", path);
    const answers = await Promise.all([1, 2, 3, 4, 5].map(undelete));
    for (const { status } of answers) expect([200, 409]).toContain(status);
    expect(await countOf()).toBe(1);
    expect((await get(database)).state).toBe("running");
  });

  it("takes along a database whose own deletion was canceled", async () => {
    for (let call = 1; call <= 4; call++) api.host.failAt(call, "before");
    const { status } = await api.call("DELETE", path);
    expect(status).toBe(202);
    const list = await api.call("GET", "/api/v1/operations?kind=database.delete");
    await api.call("POST", `/api/v1/operations/${list.body.data[0].id}/cancel`);
    for (let round = 0; round < 20; round++) {
      later(30);
      await api.context.drive(`project:${id}`, 0);
    }
    expect((await get(path)).state).toBe("deleted");
    expect((await get(database)).state).toBe("deleted");
    await undelete();
    expect((await get(database)).state).toBe("running");
  });

  it("and a database that is made at the same moment: none is left behind", async () => {
    for (let round = 0; round < 10; round++) {
      const [made, deleted] = await Promise.all([add(`n${round}`), api.call("DELETE", path)]);
      await api.context.drive(`project:${id}`, 0);
      const { state } = await get(path);
      const { total } = (await api.call("GET", `/api/v1/databases?project_id=${id}`)).body;
      if (state === "deleted") expect(total).toBe(0);
      else expect([made.status, deleted.status]).toEqual([201, 409]);
      if (state === "deleted") await undelete();
    }
  });
});
