import { beforeEach, describe, expect, it } from "vitest";
import { sizeLimits } from "../../src/database/size.ts";
import { createTestApi, type TestApi } from "../support/api.ts";

let api: TestApi;
let path: string;
let projectId: string;
beforeEach(async () => {
  api = await createTestApi();
  const body = { name: "Smile Dental", data: { postgres: true } };
  const { data } = (await api.call("POST", "/api/v1/projects", { body })).body;
  projectId = data.id;
  path = `/api/v1/databases/${data.databases[0].id}`;
});

const patch = (body: unknown, call = {}) => api.call("PATCH", path, { body, ...call });

describe("PATCH size", () => {
  it("resizes a running database, in the poolers and in the answer", async () => {
    const { status, body } = await patch({ size: "medium" });
    expect(status).toBe(200);
    expect(body.data).toMatchObject({ size: "medium", state: "running", storage_mb: 10_240 });
    const { connectionsMax } = sizeLimits.medium;
    expect(api.host.spec(body.data.database)).toMatchObject({
      transaction: { client_connections_max: connectionsMax },
      memory_bytes: 2048 * 1024 ** 2,
      processors: 2,
    });
  });

  it("to the size it has is 200 and no operation", async () => {
    expect((await patch({ size: "small" })).status).toBe(200);
    const { body } = await api.call("GET", "/api/v1/operations?kind=database.resize");
    expect(body.total).toBe(0);
  });

  it("below what is stored is 422 with both numbers", async () => {
    await patch({ size: "medium" });
    api.host.store(2 * 1024 ** 3);
    const { status, body } = await patch({ size: "small" });
    expect(status).toBe(422);
    expect(body.error.details).toEqual({ stored_bytes: 2 * 1024 ** 3, storage_bytes: 1024 ** 3 });
    expect((await api.call("GET", path)).body.data.size).toBe("medium");
  });

  it("while another operation is under way is 409 naming it", async () => {
    api.host.failAt(2, "before");
    const slow = await patch({ size: "medium" });
    expect(slow.status).toBe(202);
    const other = await patch({ size: "large" });
    expect(other.status).toBe(409);
    expect(other.body.error.details.operation_id).toBe(slow.body.data.operation_id);
  });

  it.each([
    ["size", { size: "huge" }],
    ["size", { size: -1 }],
    ["deletion_protection", { deletion_protection: "yes" }],
    ["sise", { sise: "small" }],
  ])("refuses a wrong %s with 422", async (field, body) => {
    const answer = await patch(body);
    expect(answer.status).toBe(422);
    expect(answer.body.errors).toHaveProperty(field);
  });

  it("needs the scope, and is 404 for a stranger", async () => {
    const key = await api.addKey(["databases:read"]);
    expect((await patch({ size: "medium" }, { key })).status).toBe(403);
    const stranger = await api.addStranger();
    expect((await patch({ size: "medium" }, { key: stranger })).status).toBe(404);
    expect((await patch({ size: "medium" }, { key: null })).status).toBe(401);
  });
});

describe("verbs at the same time", () => {
  const post = (verb: string) => () => api.call("POST", `${path}/${verb}`);
  const verbs = [
    () => patch({ size: "medium" }),
    () => patch({ suspend_after_seconds: 60 }),
    post("stop"),
    post("restart"),
    () => api.call("POST", `${path}/credentials/rotate`, { body: {} }),
    () => api.call("DELETE", path),
    () => api.call("DELETE", `${path}?grace_seconds=0`),
  ];

  // Each round another one is first, and each is asked for by two.
  const rounds = verbs.map((_, first) => [...verbs.slice(first), ...verbs.slice(0, first)]);
  const askAll = (round: number) =>
    Promise.all([...(rounds[round] ?? []), ...(rounds[round] ?? [])].map((verb) => verb()));

  it.each(verbs.map((_, at) => at))("have one winner, whom all others name; %s", async (round) => {
    // Nobody runs the lane: what won is not over while the others ask.
    Object.assign(api.context, { drive: async () => undefined });
    const answers = await askAll(round);
    const [winner, ...more] = answers.filter(({ status }) => status < 300);
    expect(more).toEqual([]);
    for (const { status, body } of answers.filter((answer) => answer !== winner)) {
      expect([status, body.error.code]).toEqual([409, "OPERATION_IN_PROGRESS"]);
      expect(body.error.details.operation_id).toBe(winner?.body.data.operation_id);
    }
  });

  it.each(verbs.map((_, at) => at))(
    "are done or refused with words, none fails; %s",
    async (round) => {
      const statuses = (await askAll(round)).map(({ status }) => status);
      expect(statuses.filter((status) => ![200, 202, 204, 404, 409].includes(status))).toEqual([]);
      const { data } = (await api.call("GET", "/api/v1/operations")).body;
      const ended = data.filter(({ kind }: { kind: string }) => kind !== "database.retire");
      expect(ended.map(({ status }: { status: string }) => status)).not.toContain("failed");
    },
  );
});

describe("deletion protection", () => {
  it("refuses to delete the database or its project until it is cleared", async () => {
    await patch({ deletion_protection: true });
    for (const each of [path, `/api/v1/projects/${projectId}`]) {
      const { status, body } = await api.call("DELETE", each);
      expect([status, body.error.code]).toEqual([409, "DELETION_PROTECTED"]);
    }
    await patch({ deletion_protection: false });
    expect((await api.call("DELETE", `${path}?grace_seconds=0`)).status).toBe(204);
  });
});

describe("POST credentials/rotate", () => {
  const rotate = (body?: unknown, call = {}) =>
    api.call("POST", `${path}/credentials/rotate`, { body, ...call });
  const credentials = async () => (await api.call("GET", `${path}/credentials`)).body.data;

  it("gives a new login and password at once; the old login lives for the overlap", async () => {
    const before = await credentials();
    const { status, body, headers } = await rotate({ overlap_seconds: 60 });
    expect(status).toBe(200);
    expect(headers.get("cache-control")).toBe("no-store");
    expect(body.data.user).not.toBe(before.user);
    expect(body.data.password).not.toBe(before.password);
    expect(body.data.database).toBe(before.database);
    expect(await credentials()).toMatchObject({ url: body.data.url });
    // The new one owns what is there; the old one acts as it.
    expect(api.host.logins(before.database)).toEqual([body.data.user, before.user]);
    api.clock.advance(61);
    await api.context.drive(`project:${projectId}`, 2000);
    expect(api.host.logins(before.database)).toEqual([body.data.user]);
  });

  it("without an overlap ends the old login at once", async () => {
    const before = await credentials();
    const { user } = (await rotate({ overlap_seconds: 0 })).body.data;
    expect(api.host.logins(before.database)).toEqual([user]);
  });

  it("again within the overlap keeps the old ones, three at most", async () => {
    const { database, user } = await credentials();
    const users = [user];
    for (let round = 0; round < 4; round++) users.unshift((await rotate()).body.data.user);
    expect(api.host.logins(database)).toEqual(users.slice(0, 4));
    api.clock.advance(301);
    await api.context.drive(`project:${projectId}`, 2000);
    expect(api.host.logins(database)).toEqual(users.slice(0, 1));
  });

  it("that fails leaves the old login alone, and it alone", async () => {
    const { database, user } = await credentials();
    api.host.failAt(1, "after");
    const { body } = await rotate();
    await api.call("POST", `/api/v1/operations/${body.data.operation_id}/cancel`);
    api.clock.advance(60);
    await api.context.drive(`project:${projectId}`, 2000);
    expect(api.host.logins(database)).toEqual([user]);
    expect((await credentials()).user).toBe(user);
  });

  it("leaves the database free for other work during the overlap", async () => {
    await rotate();
    expect((await patch({ size: "medium" })).status).toBe(200);
    expect((await rotate()).status).toBe(200);
  });

  it.each([-1, 1.5, "soon", 1e9])("refuses an overlap of %s with 422", async (overlap) => {
    expect((await rotate({ overlap_seconds: overlap })).status).toBe(422);
  });

  it("needs the scope, and is 404 for a stranger", async () => {
    const key = await api.addKey(["databases:read"]);
    expect((await rotate({}, { key })).status).toBe(403);
    expect((await rotate({}, { key: await api.addStranger() })).status).toBe(404);
  });
});
