// The switch that stops repairs, and what puts it on by itself: a D1 that is younger than what the
// hosts hold.
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { holdOf } from "../../src/hold/find.ts";
import { holdRepairs } from "../../src/hold/hold.ts";
import { markHosts } from "../../src/hold/mark.ts";
import { installation } from "../../src/hold/table.ts";
import { host } from "../../src/host/table.ts";
import { onCron } from "../../workers/cron.ts";
import { createTestApi, type TestApi } from "../support/api.ts";
import { runToEnd } from "../support/run.ts";

let api: TestApi;
beforeEach(async () => {
  api = await createTestApi();
});

const path = "/api/v1/admin/hold";
const hold = async () => (await api.call("GET", path)).body.data;
const alerts = async () => (await api.call("GET", "/api/v1/admin/alerts")).body.data;

describe("/admin/hold", () => {
  it("is off, goes on with its reason and an alert, and off again", async () => {
    expect(await hold()).toMatchObject({ held: false, reason: null });
    const body = { reason: "the disk of eu-1 is being moved" };
    const on = await api.call("POST", path, { body });
    expect(on.body.data).toMatchObject({ held: true, ...body, held_by: api.actor.keyId });
    expect(await alerts()).toMatchObject([{ kind: "repairs_held", subject: "installation" }]);
    api.clock.advance(60);
    await holdRepairs(api.context, "what the system found meanwhile", null);
    expect(await hold()).toEqual(on.body.data);
    const again = await api.call("POST", path, { body: { reason: "another" } });
    expect(again.body.data).toEqual({ ...on.body.data, reason: "another" });
    const ready = await api.call("GET", "/readyz", { key: null });
    expect([ready.status, ready.body.status, ready.body.not_ready[0]]).toEqual([
      ...[200, "degraded", expect.stringContaining("another")],
    ]);
    expect((await api.call("DELETE", path)).body.data.held).toBe(false);
    expect(await alerts()).toEqual([]);
  });

  it("is the operator's alone", async () => {
    const key = await api.addKey(["*"]);
    for (const method of ["GET", "POST", "DELETE"]) {
      expect((await api.call(method, path, { key })).status).toBe(403);
    }
  });
});

describe("a host that has seen a later state of D1", () => {
  const minute = () => markHosts(api.context);
  const marks = { markConfirmed: host.markConfirmed, markPending: host.markPending };

  it("puts the hold on; nothing is removed until a person says so", async () => {
    await minute();
    const [earlier] = await api.context.db.select(marks).from(host);
    if (earlier === undefined) throw new Error("There is no host.");
    for (let n = 0; n < 60; n++) await minute();
    await api.context.db.update(host).set(earlier);
    // It is silent for longer than D1 was set back.
    for (let n = 1; n < 90; n++) api.host.failAt(n, "before");
    for (let n = 0; n < 90; n++) await minute();
    expect(await holdOf(api.context)).toMatchObject({
      reason: expect.stringContaining("brought back from an earlier time: the host"),
      by: null,
    });
    await api.call("DELETE", path);
    await minute();
    await minute();
    expect(await holdOf(api.context)).toBeNull();
  });

  it("puts it on also for a D1 that began anew", async () => {
    await minute();
    await api.context.db.delete(installation);
    await api.context.db.update(host).set({ markConfirmed: null, markPending: null });
    await minute();
    expect((await holdOf(api.context))?.reason).toContain("another D1");
  });

  it("or has seen none does not, nor does one that was silent for a while", async () => {
    await minute();
    api.host.failAt(1, "before");
    await minute();
    await minute();
    expect(await holdOf(api.context)).toBeNull();
  });
});

it("a deleted database is not destroyed while repairs are held, however long", async () => {
  const made = await api.call("POST", "/api/v1/projects", {
    body: { name: "P", data: { postgres: true } },
  });
  const [{ id }] = made.body.data.databases;
  await api.call("DELETE", `/api/v1/databases/${id}`);
  await runToEnd(api, `project:${made.body.data.id}`);
  await api.call("POST", path);
  api.clock.advance(30 * 86_400);
  await onCron(env, "* * * * *", async () => api.context);
  await runToEnd(api, `project:${made.body.data.id}`);
  expect((await api.call("POST", `/api/v1/databases/${id}/undelete`)).status).toBeLessThan(300);
});
