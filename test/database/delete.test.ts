import { beforeEach, describe, expect, it } from "vitest";
import { purgeDeleted } from "../../src/database/purge.ts";
import { purgeProjects } from "../../src/project/delete.ts";
import { createTestApi, type TestApi } from "../support/api.ts";

const day = 86_400;

let api: TestApi;
let id: string;
let path: string;
let projectPath: string;
beforeEach(async () => {
  api = await createTestApi();
  const body = { name: "Smile Dental", data: { postgres: true } };
  const { data } = (await api.call("POST", "/api/v1/projects", { body })).body;
  id = data.databases[0].id;
  path = `/api/v1/databases/${id}`;
  projectPath = `/api/v1/projects/${data.id}`;
});

const later = (seconds: number) => api.clock.advanceTo(at(seconds));
const at = (seconds: number) => new Date(api.clock.now().getTime() + seconds * 1000);

/** What the cron does about deleted things, and the lanes it nudges. */
async function purge(): Promise<void> {
  api.nudges.length = 0;
  await purgeDeleted(api.context);
  for (const lane of api.nudges) await api.context.drive(lane, 0);
  await purgeProjects(api.context);
}

describe("a deleted database", () => {
  it("is out of reach at once, and says when it is gone for good", async () => {
    const purge_at = at(day).toISOString();
    const { status, body } = await api.call("DELETE", path);
    expect(status).toBe(200);
    expect(body.data).toMatchObject({ state: "deleted", purge_at });
    expect(api.cluster.held.get(body.data.database)).toBe("stopped");
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
      ["GET", "/credentials"],
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
    await purge();
    expect((await api.call("GET", path)).status).toBe(200);
    later(2);
    await purge();
    expect((await api.call("GET", path)).status).toBe(404);
    expect(api.cluster.isEmpty()).toBe(true);
  });

  it("deleted again keeps its end, unless the new one is earlier", async () => {
    const first = (await api.call("DELETE", `${path}?grace_seconds=600`)).body.data.purge_at;
    expect((await api.call("DELETE", path)).body.data.purge_at).toBe(first);
    const earlier = (await api.call("DELETE", `${path}?grace_seconds=60`)).body.data.purge_at;
    expect(earlier < first).toBe(true);
    expect((await api.call("DELETE", `${path}?grace_seconds=0`)).status).toBe(204);
    expect((await api.call("GET", path)).status).toBe(404);
  });

  it.each(["-1", "604801", "1e3", "soon", ""])("refuses a grace of %s with 422", async (grace) => {
    const { status, body } = await api.call("DELETE", `${path}?grace_seconds=${grace}`);
    expect(status).toBe(422);
    expect(body.errors).toHaveProperty("grace_seconds");
    expect((await api.call("GET", path)).body.data.state).toBe("running");
  });
});

describe("undelete", () => {
  const undelete = () => api.call("POST", `${path}/undelete`);

  it("brings it back with the same URL", async () => {
    const before = (await api.call("GET", `${path}/credentials`)).body.data;
    await api.call("DELETE", path);
    const { status, body } = await undelete();
    expect(status).toBe(200);
    expect(body.data).toMatchObject({ state: "running", purge_at: null });
    expect((await api.call("GET", `${path}/credentials`)).body.data).toEqual(before);
    later(2 * day);
    await purge();
    expect((await api.call("GET", path)).body.data.state).toBe("running");
  });

  it("leaves a database stopped that was stopped", async () => {
    await api.call("POST", `${path}/stop`);
    await api.call("DELETE", path);
    expect((await undelete()).body.data.state).toBe("stopped");
  });

  it("of a living one is 200 and begins nothing", async () => {
    expect((await undelete()).body.data.operation_id).toBe(null);
  });

  it("is refused when its place as primary was taken meanwhile", async () => {
    await api.call("DELETE", path);
    const services = `${projectPath}/data-services`;
    expect((await api.call("POST", services, { body: { type: "postgres" } })).status).toBe(201);
    const { status, body } = await undelete();
    expect([status, body.error.code]).toEqual([409, "NAME_TAKEN"]);
    expect((await api.call("GET", path)).body.data.state).toBe("deleted");
  });

  it("is 404 once it is purged, and for a stranger", async () => {
    await api.call("DELETE", path);
    const key = await api.addStranger();
    expect((await api.call("POST", `${path}/undelete`, { key })).status).toBe(404);
    later(day + 1);
    await purge();
    expect((await undelete()).status).toBe(404);
  });
});

describe("a deleted project", () => {
  it("takes its databases with it, and brings them back", async () => {
    const { status, body } = await api.call("DELETE", projectPath);
    expect(status).toBe(200);
    expect(body.data.state).toBe("deleted");
    const database = (await api.call("GET", path)).body.data;
    expect(database).toMatchObject({ state: "deleted", purge_at: body.data.purge_at });
    expect((await api.call("GET", "/api/v1/projects")).body.total).toBe(0);
    expect((await api.call("GET", "/api/v1/projects?state=deleted")).body.total).toBe(1);

    const refused = await api.call("POST", `${path}/undelete`);
    expect([refused.status, refused.body.error.code]).toEqual([409, "PROJECT_NOT_ACTIVE"]);

    const back = await api.call("POST", `${projectPath}/undelete`);
    expect([back.status, back.body.data.state]).toEqual([200, "active"]);
    expect((await api.call("GET", path)).body.data.state).toBe("running");
  });

  it("does not bring back what was deleted before it", async () => {
    await api.call("DELETE", path);
    later(1);
    await api.call("DELETE", projectPath);
    await api.call("POST", `${projectPath}/undelete`);
    expect((await api.call("GET", path)).body.data.state).toBe("deleted");
  });

  it("is purged with its databases after the grace time", async () => {
    await api.call("DELETE", projectPath);
    later(day + 1);
    await purge();
    expect((await api.call("GET", projectPath)).status).toBe(404);
    expect((await api.call("POST", `${projectPath}/undelete`)).status).toBe(404);
    expect(api.cluster.isEmpty()).toBe(true);
  });
});
