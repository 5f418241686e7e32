import { beforeEach, describe, expect, it } from "vitest";
import { commit, violatedConstraint } from "../../src/core/batch.ts";
import { beginPurge } from "../../src/database/destroy.ts";
import { database } from "../../src/database/table.ts";
import { event } from "../../src/webhook/table.ts";
import { createTestApi, type TestApi } from "../support/api.ts";
import { purge } from "../support/purge.ts";

const day = 86_400;

let api: TestApi;
let id: string;
let path: string;
beforeEach(async () => {
  api = await createTestApi();
  const body = { name: "Smile Dental", data: { postgres: true } };
  const { data } = (await api.call("POST", "/api/v1/projects", { body })).body;
  id = data.databases[0].id;
  path = `/api/v1/databases/${id}`;
});

const later = (seconds: number) => api.clock.advanceTo(at(seconds));
const at = (seconds: number) => new Date(api.clock.now().getTime() + seconds * 1000);

describe("a deleted database", () => {
  it("is out of reach at once, and says when it is gone for good", async () => {
    const purge_at = at(day).toISOString();
    const { status, body } = await api.call("DELETE", path);
    expect(status).toBe(200);
    expect(body.data).toMatchObject({ state: "deleted", purge_at });
    expect(api.host.inState("stopped")).toEqual([body.data.database]);
    expect((await api.call("GET", path)).body.data).toMatchObject({ state: "deleted", purge_at });
  });

  it("is in lists only for those who ask for it", async () => {
    await api.call("DELETE", path);
    expect((await api.call("GET", "/api/v1/databases")).body.total).toBe(0);
    expect((await api.call("GET", "/api/v1/databases?state=deleted")).body.total).toBe(1);
  });

  it("refuses what one does to a living one, and names its state", async () => {
    await api.call("DELETE", path);
    for (const [method, what] of [
      ["GET", "/sessions"],
      ["POST", "/stop"],
      ["POST", "/start"],
      ["POST", "/restart"],
      ["POST", "/credentials/rotate"],
    ] as const) {
      const { status, body } = await api.call(method, `${path}${what}`);
      expect([status, body.error.code, body.error.details.state], what).toEqual([
        409,
        "INVALID_STATE",
        "deleted",
      ]);
    }
  });

  it("is purged after its grace time, not before: then it is 404 and nothing is left", async () => {
    await api.call("DELETE", `${path}?grace_seconds=60`);
    later(59);
    await purge(api);
    expect((await api.call("GET", path)).status).toBe(200);
    later(2);
    await purge(api);
    expect((await api.call("GET", path)).status).toBe(404);
    expect(api.host.isEmpty()).toBe(true);
  });

  it("is purged also when another has its name and its place by now", async () => {
    const { project_id } = (await api.call("GET", path)).body.data;
    await api.call("DELETE", `${path}?grace_seconds=60`);
    const service = { type: "postgres" };
    const services = `/api/v1/projects/${project_id}/data-services`;
    expect((await api.call("POST", services, { body: service })).status).toBe(201);
    later(61);
    await purge(api);
    expect((await api.call("GET", path)).status).toBe(404);
    expect(api.host.databases.size).toBe(1);
  });

  it("deleted again keeps its end, unless the new one is earlier", async () => {
    const first = (await api.call("DELETE", `${path}?grace_seconds=600`)).body.data.purge_at;
    expect((await api.call("DELETE", path)).body.data.purge_at).toBe(first);
    const earlier = (await api.call("DELETE", `${path}?grace_seconds=60`)).body.data.purge_at;
    expect(earlier < first).toBe(true);
    expect((await api.call("DELETE", `${path}?grace_seconds=0`)).status).toBe(204);
    expect((await api.call("GET", path)).status).toBe(404);
  });

  it("takes its grace from the body too; an empty one with a content type is none", async () => {
    const body = { grace_seconds: 60 };
    const { purge_at } = (await api.call("DELETE", path, { body })).body.data;
    expect(purge_at).toBe(at(60).toISOString());
    const headers = { "content-type": "application/json" };
    expect((await api.call("DELETE", path, { headers })).status).toBe(200);
    for (const wrong of [{ grace_seconds: -1 }, { grace_seconds: "60" }, { grace_second: 1 }]) {
      expect((await api.call("DELETE", path, { body: wrong })).status).toBe(422);
    }
    expect((await api.call("DELETE", path, { body: { grace_seconds: 0 } })).status).toBe(204);
  });

  it("is brought forward by the earlier of two who ask at once, never put off", async () => {
    await api.call("DELETE", path);
    await Promise.all(
      [300, 60, 600].map((seconds) => api.call("DELETE", `${path}?grace_seconds=${seconds}`)),
    );
    const { purge_at } = (await api.call("GET", path)).body.data;
    expect(purge_at).toBe(at(60).toISOString());
  });

  it("is not purged under the feet of who undeleted and deleted it anew", async () => {
    await api.call("DELETE", `${path}?grace_seconds=60`);
    later(61);
    const [due] = await api.context.db.select().from(database);
    if (due === undefined) throw new Error("There is no database.");
    await api.call("POST", `${path}/undelete`);
    await api.call("DELETE", path);
    const purged = commit(api.context, beginPurge(api.context, due).statements);
    expect(await purged.catch(violatedConstraint)).toBe("database.state");
    expect((await api.call("GET", path)).body.data.state).toBe("deleted");
  });

  it("cannot be protected; a protected one cannot be deleted, whoever is faster", async () => {
    const protect = (deletion_protection: boolean) =>
      api.call("PATCH", path, { body: { deletion_protection } });
    for (let round = 0; round < 10; round++) {
      const [patch, deletion] = await Promise.all([protect(true), api.call("DELETE", path)]);
      expect([200, 409]).toContain(patch.status);
      const { state, deletion_protection } = (await api.call("GET", path)).body.data;
      expect({ state, deletion_protection }).toEqual(
        deletion.status === 200
          ? { state: "deleted", deletion_protection: false }
          : { state: "running", deletion_protection: true },
      );
      expect((await protect(false)).status).toBe(deletion.status === 200 ? 409 : 200);
      await api.call("POST", `${path}/undelete`);
    }
  });

  it("is told of: deleted, then purged; both at once without grace", async () => {
    const types = async () =>
      (await api.context.db.select().from(event)).map(({ type }) => type).slice(-2);
    await api.call("DELETE", `${path}?grace_seconds=0`);
    expect(await types()).toEqual(["database.deleted", "database.purged"]);
  });

  it("that is stopped on a host which does not answer is let in again", async () => {
    for (let call = 1; call <= 20; call++) api.host.failAt(call, "after");
    const { status, body } = await api.call("DELETE", path);
    expect([status, body.data.state]).toEqual([202, "deleting"]);
    const cancel = await api.call("POST", `/api/v1/operations/${body.data.operation_id}/cancel`);
    expect(cancel.status).toBeLessThan(300);
    for (let round = 0; round < 60; round++) {
      later(60);
      await api.context.drive(`project:${body.data.project_id}`, 0);
    }
    const { state, purge_at } = (await api.call("GET", path)).body.data;
    expect({ state, purge_at, stopped: api.host.inState("stopped") }).toEqual({
      state: "running",
      purge_at: null,
      stopped: [],
    });
  });

  it.each(["-1", "604801", "1e3", "soon", ""])("refuses a grace of %s with 422", async (grace) => {
    const { status, body } = await api.call("DELETE", `${path}?grace_seconds=${grace}`);
    expect(status).toBe(422);
    expect(body.errors).toHaveProperty("grace_seconds");
    expect((await api.call("GET", path)).body.data.state).toBe("running");
  });
});
