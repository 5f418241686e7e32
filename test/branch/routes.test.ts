import { beforeEach, describe, expect, it } from "vitest";
import { expireBranches } from "../../src/branch/expire.ts";
import { HostRefusal } from "../../src/core/error.ts";
import { createTestApi, type TestApi } from "../support/api.ts";
import { servingOf } from "../support/fake-recovery.ts";
import { runToEnd } from "../support/run.ts";

const week = 7 * 86_400;

let api: TestApi;
let lane: string;
let id: string;
let path: string;

beforeEach(async () => {
  api = await createTestApi();
  const body = { name: "Smile Dental", data: { postgres: true } };
  const { data } = (await api.call("POST", "/api/v1/projects", { body })).body;
  lane = `project:${data.id}`;
  id = data.databases[0].id;
  path = `/api/v1/databases/${id}`;
  api.clock.advance(60);
});

const branch = (body: object = {}) => api.call("POST", `${path}/branches`, { body });
const databaseOf = async (of: string) =>
  (await api.call("GET", `/api/v1/databases/${of}`)).body.data;
const inSeconds = (seconds: number) =>
  new Date(api.clock.now().getTime() + seconds * 1000).toISOString();

async function branched(body: object = {}) {
  const answer = await branch(body);
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  await runToEnd(api, lane);
  return databaseOf(answer.body.data.id);
}

describe("a branch", () => {
  it("is a database of its own that answers at once, and sleeps when idle", async () => {
    const { status, body } = await branch({ name: "try", expires_in: 3600 });
    expect(status).toBe(201);
    expect(body.data).toMatchObject({
      name: "try",
      environment: "production",
      state: "running",
      is_primary: false,
      branch_of: id,
      expires_at: inSeconds(3600),
      suspend_after_seconds: 300,
      database_url: expect.stringContaining(body.data.database),
    });
    const names = api.host.calls.map(({ name }) => name);
    expect(names).toContain("database.branch");
    expect(names).not.toContain("recovery.start");
    expect(api.host.databases.get(body.data.database)?.spec.suspend_after_seconds).toBe(300);
  });

  it("has a name of ours and stands for a week when nothing is said", async () => {
    const { name, expires_at } = await branched();
    expect(name).toMatch(/^branch-[a-z2-7]{8}$/);
    expect(expires_at).toBe(inSeconds(week));
  });

  it("may be in another environment, and of a moment, which is a restore", async () => {
    const at = inSeconds(-1);
    const made = await branched({ environment: "staging", at });
    expect(made).toMatchObject({ environment: "staging", branch_of: id, state: "running" });
    const { data } = (await api.call("GET", `${path}/restores`)).body;
    expect(data).toMatchObject([{ mode: "new", database_id: made.id, requested_target: at }]);
    expect(api.host.recoveries.size).toBe(0);
  });

  it("is listed with its source, and nobody else's", async () => {
    const { id: one } = await branched();
    const { id: two } = await branched({ at: inSeconds(-1) });
    const { body } = await api.call("GET", `${path}/branches`);
    expect(body.data.map((each: { id: string }) => each.id)).toEqual([two, one]);
    expect((await api.call("GET", path)).body.data.branch_of).toBeNull();
    const key = await api.addStranger();
    expect((await api.call("GET", `${path}/branches`, { key })).status).toBe(404);
    expect((await api.call("POST", `${path}/branches`, { key, body: {} })).status).toBe(404);
    const reader = await api.addKey(["databases:read"]);
    expect((await api.call("POST", `${path}/branches`, { key: reader, body: {} })).status).toBe(
      403,
    );
  });

  it.each([
    ["expires_in", { expires_in: 59 }],
    ["expires_in", { expires_in: 31 * 86_400 }],
    ["at", { at: "yesterday" }],
    ["at", { at: "2020-01-01T00:00:00Z" }],
    ["name", { name: "" }],
  ])("with a bad %s is 422 and makes nothing", async (field, body) => {
    const answer = await branch(body);
    expect(answer.status).toBe(422);
    expect(Object.keys(answer.body.errors)).toEqual([field]);
    expect(api.host.databases.size).toBe(1);
  });

  it("of what was deleted needs a moment", async () => {
    await api.call("DELETE", path);
    const { status, body } = await branch();
    expect(status).toBe(409);
    expect(body.error.message).toMatch(/name a moment with `at`/);
    expect((await branched({ at: inSeconds(-1) })).state).toBe("running");
  });

  it("that its host cannot make fails with its words, and leaves nothing", async () => {
    const { port } = api.host;
    const { command } = port;
    Object.assign(port, {
      command: async (...call: Parameters<typeof command>) => {
        if (call[1] !== "database.branch") return command(...call);
        throw new HostRefusal("database.branch", 409, "no_room", "The disk is nearly full.");
      },
    });
    expect(await branched()).toMatchObject({
      state: "failed",
      error_message: "The disk is nearly full.",
    });
    expect(api.host.databases.size).toBe(1);
  });

  it("of a name that is taken is 409 and makes nothing", async () => {
    await branched({ name: "try" });
    const { status, body } = await branch({ name: "try" });
    expect([status, body.error.code]).toEqual([409, "DATABASE_NAME_TAKEN"]);
    expect(api.host.databases.size).toBe(2);
  });

  it("asked for twice with one idempotency key is made once", async () => {
    const headers = { "idempotency-key": "once" };
    const [one, two] = [
      await api.call("POST", `${path}/branches`, { body: {}, headers }),
      await api.call("POST", `${path}/branches`, { body: {}, headers }),
    ];
    expect(two.body.data.id).toBe(one.body.data.id);
    expect(api.host.databases.size).toBe(2);
  });
});

describe("the end of a branch", () => {
  const pass = async (seconds: number) => {
    api.clock.advance(seconds);
    await expireBranches(api.context);
    await runToEnd(api, lane);
  };

  it("comes by itself, without a grace time, and none before", async () => {
    const { id: made, database } = await branched({ expires_in: 3600 });
    await pass(3599);
    expect((await databaseOf(made)).state).toBe("running");
    await pass(2);
    expect((await api.call("GET", `/api/v1/databases/${made}`)).status).toBe(404);
    expect(api.host.databases.has(database)).toBe(false);
    expect((await api.call("GET", path)).body.data.state).toBe("running");
    expect((await api.call("GET", `${path}/branches`)).body.data).toEqual([]);
  });

  it("leaves its backups, from which it can be had again", async () => {
    const { id: made } = await branched({ expires_in: 3600 });
    const at = inSeconds(1800);
    await pass(3601);
    const body = { target_time: at, name: "again" };
    const answer = await api.call("POST", `/api/v1/databases/${made}/restores`, { body });
    expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  });

  it("waits while it is protected from deletion", async () => {
    const { id: made } = await branched({ expires_in: 3600 });
    const own = `/api/v1/databases/${made}`;
    await api.call("PATCH", own, { body: { deletion_protection: true } });
    await pass(3601);
    expect((await databaseOf(made)).state).toBe("running");
    await api.call("PATCH", own, { body: { deletion_protection: false } });
    await pass(1);
    expect((await api.call("GET", own)).status).toBe(404);
  });

  it("does not come to one that was made primary", async () => {
    const { id: made } = await branched({ expires_in: 3600 });
    expect((await api.call("POST", `/api/v1/databases/${made}/promote`)).status).toBe(200);
    await pass(3601);
    expect(await databaseOf(made)).toMatchObject({ is_primary: true, expires_at: null });
  });

  it("does not come because its source was deleted", async () => {
    const { id: made } = await branched();
    await api.call("DELETE", `${path}?grace_seconds=0`);
    await pass(60);
    expect(await databaseOf(made)).toMatchObject({ state: "running", branch_of: id });
  });
});

describe("a promotion over its source", () => {
  const serving = async () =>
    servingOf(api.host.things, (await api.call("GET", path)).body.data.database);
  const promote = (of: string) => api.call("POST", `/api/v1/databases/${of}/promote-branch`);

  it("is a restore in place of the source that can be undone, and leaves the branch", async () => {
    const { id: made } = await branched();
    const first = await serving();
    const { status, body } = await promote(made);
    expect(status).toBe(201);
    await runToEnd(api, lane);
    const restore = await api.call("GET", `/api/v1/restores/${body.data.id}`);
    expect(restore.body.data).toMatchObject({
      ...{ state: "succeeded", mode: "in_place", source: "branch", database_id: id },
      requested_target: `branch ${made}`,
    });
    expect(await serving()).not.toBe(first);
    expect([api.host.dumps.size, api.host.recoveries.size]).toEqual([0, 0]);
    expect((await databaseOf(made)).state).toBe("running");
    await api.call("POST", `/api/v1/restores/${body.data.id}/undo`);
    await runToEnd(api, lane);
    expect(await serving()).toBe(first);
  });

  it("is of branches alone, whose source is there", async () => {
    expect((await promote(id)).body.error.code).toBe("NOT_A_BRANCH");
    const { id: made } = await branched();
    const key = await api.addStranger();
    const strange = await api.call("POST", `/api/v1/databases/${made}/promote-branch`, { key });
    expect(strange.status).toBe(404);
    await api.call("DELETE", path);
    expect((await promote(made)).body.error.code).toBe("INVALID_STATE");
    await api.call("POST", `${path}/undelete`);
    await api.call("DELETE", `${path}?grace_seconds=0`);
    expect((await promote(made)).body.error.code).toBe("SOURCE_GONE");
  });

  it("that cannot be dumped fails in words, and changes nothing", async () => {
    const { id: made } = await branched();
    const first = await serving();
    const { port } = api.host;
    const { command } = port;
    Object.assign(port, {
      command: async (...call: Parameters<typeof command>) => {
        const report = await command(...call);
        const failed = { ...report, state: "failed", error: "The disk is full.", stored: null };
        return call[1] === "dump.status" ? failed : report;
      },
    });
    const { body } = await promote(made);
    await runToEnd(api, lane);
    const restore = await api.call("GET", `/api/v1/restores/${body.data.id}`);
    expect(restore.body.data).toMatchObject({
      state: "failed",
      error_message: "The disk is full.",
    });
    expect(await serving()).toBe(first);
    expect(api.host.dumps.size).toBe(0);
  });
});
