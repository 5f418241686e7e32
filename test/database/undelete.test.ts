import { beforeEach, describe, expect, it } from "vitest";
import { createTestApi, type TestApi } from "../support/api.ts";
import { purge } from "../support/purge.ts";

const day = 86_400;

let api: TestApi;
let path: string;
let services: string;
beforeEach(async () => {
  api = await createTestApi();
  const body = { name: "Smile Dental", data: { postgres: true } };
  const { data } = (await api.call("POST", "/api/v1/projects", { body })).body;
  path = `/api/v1/databases/${data.databases[0].id}`;
  services = `/api/v1/projects/${data.id}/data-services`;
});

const later = (seconds: number) =>
  api.clock.advanceTo(new Date(api.clock.now().getTime() + seconds * 1000));
const undelete = (of = path) => api.call("POST", `${of}/undelete`);

describe("undelete", () => {
  it("brings it back with the same URL", async () => {
    const before = (await api.call("GET", `${path}/credentials`)).body.data;
    await api.call("DELETE", path);
    const { status, body } = await undelete();
    expect(status).toBe(200);
    expect(body.data).toMatchObject({ state: "running", purge_at: null });
    expect((await api.call("GET", `${path}/credentials`)).body.data).toEqual(before);
    later(2 * day);
    await purge(api);
    expect((await api.call("GET", path)).body.data.state).toBe("running");
  });

  it("leaves a database stopped that was stopped", async () => {
    await api.call("POST", `${path}/stop`);
    await api.call("DELETE", path);
    expect((await undelete()).body.data.state).toBe("stopped");
  });

  it("of a living one is 200 and begins nothing", async () => {
    const { status, body } = await undelete();
    expect([status, body.data.operation_id]).toEqual([200, null]);
  });

  it("is refused when its place as primary was taken meanwhile, until it is free", async () => {
    await api.call("DELETE", path);
    const other = (await api.call("POST", services, { body: { type: "postgres" } })).body.data;
    const { status, body } = await undelete();
    expect([status, body.error.code]).toEqual([409, "ALREADY_EXISTS"]);
    expect(body.error.details.database_id).toBe(other.id);
    expect((await api.call("GET", path)).body.data.state).toBe("deleted");
    await api.call("DELETE", `/api/v1/databases/${other.id}`);
    expect((await undelete()).status).toBe(200);
  });

  it("is refused when its name was taken meanwhile", async () => {
    const make = () => api.call("POST", services, { body: { type: "postgres", name: "reports" } });
    const first = `/api/v1/databases/${(await make()).body.data.id}`;
    await api.call("DELETE", first);
    const second = (await make()).body.data.id;
    const { status, body } = await undelete(first);
    expect([status, body.error.code]).toEqual([409, "NAME_TAKEN"]);
    expect(body.error.details.database_id).toBe(second);
  });

  it("is 404 once it is purged, and for a stranger", async () => {
    await api.call("DELETE", path);
    const key = await api.addStranger();
    expect((await api.call("POST", `${path}/undelete`, { key })).status).toBe(404);
    later(day + 1);
    await purge(api);
    expect((await undelete()).status).toBe(404);
  });

  it("that fails leaves it deleted, with the end it had", async () => {
    const { purge_at } = (await api.call("DELETE", path)).body.data;
    for (let call = 1; call <= 20; call++) api.host.failAt(call, "after");
    const { status, body } = await undelete();
    expect([status, body.data.state]).toEqual([202, "starting"]);
    for (let round = 0; round < 60; round++) {
      later(60);
      await api.context.drive(`project:${body.data.project_id}`, 0);
    }
    expect((await api.call("GET", path)).body.data).toMatchObject({ state: "deleted", purge_at });
    expect(api.host.inState("stopped")).toHaveLength(1);
  });

  it("and the purge of the same moment: one of them wins, whole", async () => {
    for (let round = 0; round < 20; round++) {
      const made = (
        await api.call("POST", services, { body: { type: "postgres", name: `n${round}` } })
      ).body.data;
      const own = `/api/v1/databases/${made.id}`;
      await api.call("DELETE", `${own}?grace_seconds=1`);
      later(2);
      const [answer] = await Promise.all([undelete(own), purge(api)]);
      await purge(api);
      const after = await api.call("GET", own);
      const isBack = answer.status === 200;
      expect([isBack, after.status]).toEqual([isBack, isBack ? 200 : 404]);
      expect(api.host.databases.has(made.database)).toBe(isBack);
    }
  });
});
