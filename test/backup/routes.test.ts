import { beforeEach, describe, expect, it } from "vitest";
import { createTestApi, type TestApi } from "../support/api.ts";

let api: TestApi;
let databaseId: string;
let path: string;
beforeEach(async () => {
  api = await createTestApi();
  const body = { name: "Smile Dental", data: { postgres: true } };
  const { data } = (await api.call("POST", "/api/v1/projects", { body })).body;
  databaseId = data.databases[0].id;
  path = `/api/v1/admin/databases/${databaseId}/base-backups`;
});

describe("POST /admin/databases/:id/base-backups", () => {
  const post = (body: object, call = {}) => api.call("POST", path, { body, ...call });

  it("takes one now", async () => {
    const begun = await post({ type: "full" });
    expect(begun.status).toBe(202);
    const { operation_id } = begun.body.data;
    const known = await api.call("GET", `/api/v1/operations/${operation_id}`);
    expect(known.body.data).toMatchObject({ kind: "database.base_backup", status: "succeeded" });
    expect(api.host.things.backups.size).toBe(1);
  });

  it("refuses another while it is taken", async () => {
    const drive = api.context.drive;
    Object.assign(api.context, { drive: async () => undefined });
    const { operation_id } = (await post({ type: "full" })).body.data;
    const again = await post({});
    expect(again.status).toBe(409);
    expect(again.body.error.details.operation_id).toBe(operation_id);
    Object.assign(api.context, { drive });
  });

  it("says why one failed", async () => {
    const { port } = api.host;
    const { command } = port;
    const ended_at = api.clock.now().toISOString();
    const failed = { state: "failed", started_at: ended_at, ended_at, error: "The disk is full." };
    Object.assign(port, {
      command: async (...call: Parameters<typeof command>) =>
        call[1] === "base_backup.status" ? failed : command(...call),
    });
    const { operation_id } = (await post({})).body.data;
    const { body } = await api.call("GET", `/api/v1/operations/${operation_id}`);
    expect(body.data.status).toBe("failed");
    expect(body.data.error.message).toBe("The disk is full.");
  });

  it("is the operator's alone", async () => {
    expect((await post({}, { key: await api.addKey(["*"]) })).status).toBe(403);
  });

  it("takes no other type, no stopped database, and none that is not there", async () => {
    expect((await post({ type: "half" })).body.errors.type).toBeDefined();
    await api.call("POST", `/api/v1/databases/${databaseId}/stop`);
    expect((await post({})).body.error.message).toMatch(/Start it first/);
    path = path.replace(databaseId, crypto.randomUUID());
    expect((await post({})).status).toBe(404);
  });
});
