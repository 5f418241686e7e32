import { beforeEach, describe, expect, it } from "vitest";
import { createTestApi, type TestApi } from "../support/api.ts";

let api: TestApi;
let path: string;
beforeEach(async () => {
  api = await createTestApi();
  const { body } = await api.call("GET", "/api/v1/admin/hosts");
  path = `/api/v1/admin/hosts/${body.data[0].id}/backups`;
});

describe("POST /admin/hosts/:id/backups", () => {
  const post = (body: object, call = {}) => api.call("POST", path, { body, ...call });

  it("begins one, and refuses another while it is taken", async () => {
    const begun = await post({ type: "full" });
    expect(begun.status).toBe(202);
    const { operation_id } = begun.body.data;
    const known = await api.call("GET", `/api/v1/operations/${operation_id}`);
    expect(known.body.data.kind).toBe("host.base_backup");
    const again = await post({});
    expect(again.status).toBe(409);
    expect(again.body.error.details.operation_id).toBe(operation_id);
  });

  it("is the operator's alone", async () => {
    expect((await post({}, { key: await api.addKey(["*"]) })).status).toBe(403);
  });

  it("takes no other type, and no other host", async () => {
    expect((await post({ type: "half" })).body.errors.type).toBeDefined();
    path = path.replace(/hosts\/[^/]*/, `hosts/${crypto.randomUUID()}`);
    expect((await post({})).status).toBe(404);
  });
});
