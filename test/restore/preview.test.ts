import { beforeEach, describe, expect, it } from "vitest";
import type { RecoveryReport } from "../../src/contract/recovery.ts";
import { endPreviews } from "../../src/restore/expire.ts";
import { createTestApi, type TestApi } from "../support/api.ts";
import { runToEnd } from "../support/run.ts";

let api: TestApi;
let projectId: string;
let databaseId: string;

async function aProject(name: string) {
  const body = { name, data: { postgres: true } };
  const { data } = (await api.call("POST", "/api/v1/projects", { body })).body;
  return { projectId: data.id as string, databaseId: data.databases[0].id as string };
}

beforeEach(async () => {
  api = await createTestApi();
  ({ projectId, databaseId } = await aProject("Smile Dental"));
});

const now = () => api.clock.now();
const settle = () => runToEnd(api, `project:${projectId}`);

function begin(id = databaseId, changes: Record<string, unknown> = {}) {
  const body = { target_time: now().toISOString(), mode: "preview", ...changes };
  return api.call("POST", `/api/v1/databases/${id}/restores`, { body });
}

const restoreOf = async (id: string) => (await api.call("GET", `/api/v1/restores/${id}`)).body.data;

/** Begins one and has it stand. */
async function standing() {
  const { body } = await begin();
  await settle();
  return restoreOf(body.data.id);
}

/** Promotes one to its end; the restore it became. */
async function promoted(id: string, mode: string) {
  const { status, body } = await onRestore("POST", id, "/promote", { mode });
  expect(status).toBe(201);
  await settle();
  return restoreOf(body.data.id);
}

const onRestore = (method: string, id: string, verb: string, body?: unknown, key?: string) =>
  api.call(method, `/api/v1/restores/${id}${verb}`, {
    ...(body === undefined ? {} : { body }),
    ...(key === undefined ? {} : { key }),
  });

describe("a preview", () => {
  it("stands for an hour, with a login of its own that the source does not have", async () => {
    expect((await begin()).status).toBe(201);
    await settle();
    const { data } = (await api.call("GET", `/api/v1/databases/${databaseId}/restores`)).body;
    const { id, state, expires_at, database_id, source_database_id } = data[0];
    expect({ state, database_id, source_database_id }).toEqual({
      state: "succeeded",
      database_id: databaseId,
      source_database_id: databaseId,
    });
    expect(Date.parse(expires_at)).toBe(now().getTime() + 3_600_000);
    const answer = await onRestore("GET", id, "/credentials");
    expect(answer.headers.get("cache-control")).toBe("no-store");
    const { user, database } = answer.body.data;
    expect([user, database].join()).toMatch(/^pre_[a-z2-7]{20},preview_[a-z2-7]{20}$/);
    expect(api.host.things.previews.get(id)?.limits).toEqual({
      transaction: { pool_size: 4, client_connections_max: 100 },
      session: { pool_size: 4, client_connections_max: 4 },
      allowed_addresses: [],
    });
  });

  it("tells its login to those alone who may write", async () => {
    const { id } = await standing();
    const reader = await api.addKey(["databases:read"]);
    expect((await onRestore("GET", id, "/credentials", undefined, reader)).status).toBe(403);
    const stranger = await api.addStranger();
    for (const [method, verb] of [
      ["GET", "/credentials"],
      ["DELETE", ""],
    ] as const) {
      expect((await onRestore(method, id, verb, undefined, stranger)).status).toBe(404);
    }
    const body = { mode: "new" };
    expect((await onRestore("POST", id, "/promote", body, stranger)).status).toBe(404);
  });

  it("is one of a database's and one of four of a host's", async () => {
    const { id } = await standing();
    const second = await begin();
    expect(second.status).toBe(409);
    expect(second.body.error).toMatchObject({
      code: "PREVIEW_EXISTS",
      details: { restore_id: id },
    });
    for (const name of ["Two", "Three", "Four"]) {
      expect((await begin((await aProject(name)).databaseId)).status).toBe(201);
    }
    const { databaseId: fifth } = await aProject("Five");
    const refused = await begin(fifth);
    expect(refused.status).toBe(503);
    expect(refused.body.error.code).toBe("TOO_MANY_PREVIEWS");
    expect((await onRestore("DELETE", id, "")).body.data.ended_at).not.toBeNull();
    expect((await begin(fifth)).status).toBe(201);
  });

  it("ends once, however often it is told to", async () => {
    const { id } = await standing();
    for (const _ of [1, 2]) {
      const { status, body } = await onRestore("DELETE", id, "");
      expect({ status, isOver: body.data.ended_at !== null }).toEqual({
        status: 200,
        isOver: true,
      });
    }
    expect(api.host.recoveries.size).toBe(0);
    for (const [method, verb, body] of [
      ["GET", "/credentials", undefined],
      ["POST", "/promote", { mode: "new" }],
    ] as const) {
      const answer = await onRestore(method, id, verb, body);
      expect(answer.body.error.code).toBe("PREVIEW_NOT_OPEN");
    }
  });

  it("that is still being recovered is given up when it is told to end", async () => {
    const { id, state } = (await begin()).body.data;
    expect(state).toBe("running");
    const { body } = await onRestore("DELETE", id, "");
    expect(body.data).toMatchObject({ state: "failed" });
    expect(api.host.recoveries.size).toBe(0);
    expect((await begin()).status).toBe(201);
  });

  it.each([9, 3601, 1.5, "an hour"])("of %s seconds is 422", async (keep_seconds) => {
    const { status, body } = await begin(databaseId, { keep_seconds });
    expect(status).toBe(422);
    expect(Object.keys(body.errors)).toEqual(["keep_seconds"]);
  });
});

describe("progress", () => {
  const waiting: Partial<RecoveryReport> = { state: "waiting", step: "wait", position: 2 };
  const running: Partial<RecoveryReport> = {
    state: "running",
    step: "replay",
    bytes_restored: 1,
    replayed_lsn: "0/2",
  };

  it("is told as bytes and WAL, with the position while others are first", async () => {
    const { id } = (await begin()).body.data;
    const { recoveries } = api.host.things;
    const ready = recoveries.get(id);
    if (ready === undefined) throw new Error("No recovery was begun.");
    let looks = 0;
    const states = [waiting, running, {}];
    Object.assign(api.context, {
      pause: async () => {
        recoveries.set(id, { ...ready, ...states[looks++] });
        api.clock.advanceTo(new Date(now().getTime() + 60_000));
        await api.context.drive(`project:${projectId}`, 0);
      },
    });
    const { body: text } = await onRestore("GET", id, "/stream");
    const events = [...text.matchAll(/^data: (.*)$/gm)].map(([, json]) => JSON.parse(json));
    const steps = events.map(({ type, progress }) => [type, progress?.step, progress?.position]);
    expect(steps.slice(-3)).toEqual([
      ["restore", "wait", 2],
      ["restore", "replay", 0],
      ["done", "replay", 0],
    ]);
    expect((await restoreOf(id)).progress).toEqual({
      step: "replay",
      position: 0,
      bytes_restored: 1,
      bytes_total: 1,
      start_lsn: "0/1",
      replayed_lsn: "0/1",
    });
  });
});

describe("a promotion", () => {
  it.each(["new", "in_place"])(
    "to %s recovers the same moment once more, and ends the preview",
    async (mode) => {
      const { id } = await standing();
      const restore = await promoted(id, mode);
      expect(restore).toMatchObject({ state: "succeeded", mode, preview_id: id });
      const calls = api.host.calls.map(({ name }) => name);
      expect(calls.filter((name) => name === "recovery.start")).toHaveLength(2);
      expect((await restoreOf(id)).ended_at).not.toBeNull();
      expect([...api.host.recoveries.keys()]).toEqual([]);
    },
  );

  it("that fails leaves the preview as it was, for another one", async () => {
    const { id } = await standing();
    const { port } = api.host;
    const { command } = port;
    Object.assign(port, {
      command: async (...call: Parameters<typeof command>) => {
        const report = await command(...call);
        const isOther =
          call[1] === "recovery.status" && !("recovery_id" in report && report.recovery_id === id);
        return isOther ? { ...report, state: "failed", error: "no" } : report;
      },
    });
    const failed = await promoted(id, "in_place");
    expect(failed).toMatchObject({ state: "failed", error_message: "no" });
    expect((await onRestore("GET", id, "/credentials")).status).toBe(200);
    Object.assign(port, { command });
    expect((await promoted(id, "in_place")).state).toBe("succeeded");
  });

  it("is one at a time, and not of a restore that is none", async () => {
    const { id } = await standing();
    const first = await onRestore("POST", id, "/promote", { mode: "new" });
    expect(first.body.data.state).toBe("running");
    const refusals = await Promise.all([
      onRestore("POST", id, "/promote", { mode: "in_place" }),
      onRestore("DELETE", id, ""),
      onRestore("POST", first.body.data.id, "/promote", { mode: "new" }),
      onRestore("DELETE", first.body.data.id, ""),
    ]);
    expect(refusals.map(({ status, body }) => [status, body.error.code])).toEqual([
      [409, "OPERATION_IN_PROGRESS"],
      [409, "OPERATION_IN_PROGRESS"],
      [409, "PREVIEW_NOT_OPEN"],
      [409, "PREVIEW_NOT_OPEN"],
    ]);
  });
});

describe("the chore", () => {
  const run = async () => {
    await endPreviews(api.context);
    await settle();
  };
  const later = (seconds: number) =>
    api.clock.advanceTo(new Date(now().getTime() + seconds * 1000));

  it("ends a preview after its time, and none before", async () => {
    const { id } = await standing();
    later(3599);
    await run();
    expect((await restoreOf(id)).ended_at).toBeNull();
    later(2);
    await run();
    expect((await restoreOf(id)).ended_at).not.toBeNull();
    expect(api.host.recoveries.size).toBe(0);
  });

  it("ends one whose database was deleted since, and lets one be of what was deleted", async () => {
    const { id } = await standing();
    later(1);
    expect((await api.call("DELETE", `/api/v1/databases/${databaseId}`)).status).toBe(200);
    await run();
    expect((await restoreOf(id)).ended_at).not.toBeNull();
    later(1);
    const { id: after } = await standing();
    await run();
    expect(await restoreOf(after)).toMatchObject({ state: "succeeded", ended_at: null });
  });

  it("leaves one alone that its host still shows, though it was restarted", async () => {
    const { id } = await standing();
    api.host.things.recoveries.clear();
    await run();
    expect((await restoreOf(id)).ended_at).toBeNull();
  });

  it("leaves one alone while the servers of its host do not answer", async () => {
    const { id } = await standing();
    api.host.things.recoveries.clear();
    api.host.things.previews.clear();
    api.host.things.problem = "the poolers do not answer";
    await run();
    expect((await restoreOf(id)).ended_at).toBeNull();
  });

  it("says of one that its host has lost that it is over", async () => {
    const { id } = await standing();
    api.host.things.recoveries.clear();
    api.host.things.previews.clear();
    await run();
    const { ended_at, error_message } = await restoreOf(id);
    expect(ended_at).not.toBeNull();
    expect(error_message).toMatch(/restore anew/);
  });

  it("leaves one alone that is being promoted", async () => {
    const { id } = await standing();
    await onRestore("POST", id, "/promote", { mode: "new" });
    later(3601);
    await endPreviews(api.context);
    const { body } = await api.call("GET", "/api/v1/operations?kind=database.end_preview");
    expect(body.total).toBe(0);
  });
});
