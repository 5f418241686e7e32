import { beforeEach, expect, it } from "vitest";
import { watchHosts } from "../../src/host/watch.ts";
import { createTestApi, type TestApi } from "../support/api.ts";
import { hostId } from "../support/seed.ts";

let api: TestApi;
beforeEach(async () => {
  api = await createTestApi();
});

const alerts = async (state: string) =>
  (await api.call("GET", `/api/v1/admin/alerts?state=${state}`)).body.data as { kind: string }[];

it("a host that does not answer is an alert until it does", async () => {
  await watchHosts(api.context);
  expect(await alerts("open")).toEqual([]);
  api.host.failAt(1, "before");
  await watchHosts(api.context);
  const [open, ...others] = await alerts("open");
  expect(open).toMatchObject({ kind: "host_silent" });
  expect(others).toEqual([]);
  await watchHosts(api.context);
  expect(await alerts("open")).toEqual([]);
  expect(await alerts("resolved")).toMatchObject([{ kind: "host_silent" }]);
});

it("what happened to its servers is an alert that is told for a day", async () => {
  const at = api.clock.now().toISOString();
  const database = "proj_one";
  const facts = { program: "postgres" as const, what: "out_of_memory" as const, database, at };
  api.host.things.incidents.push({ seq: 1, ...facts, detail: "All sessions ended." });
  await watchHosts(api.context);
  const [open] = await alerts("open");
  expect(open).toMatchObject({
    kind: "server_failed",
    subject: `${hostId}/proj_one`,
    message: expect.stringContaining("that of proj_one, of the host test: All sessions ended."),
  });
  api.clock.advance(86_000);
  await watchHosts(api.context);
  expect(await alerts("open")).toHaveLength(1);
  api.clock.advance(1000);
  await watchHosts(api.context);
  expect(await alerts("open")).toEqual([]);
});

it("a host that counts its incidents from the beginning again is read from there", async () => {
  const at = api.clock.now().toISOString();
  const incident = { program: "host" as const, what: "crashed" as const, at };
  const { incidents } = api.host.things;
  for (const seq of [1, 2]) incidents.push({ seq, ...incident, detail: `before ${seq}` });
  await watchHosts(api.context);
  incidents.splice(0, 2, { seq: 1, ...incident, detail: "anew" });
  await watchHosts(api.context);
  expect(await alerts("open")).toMatchObject([{ message: expect.stringContaining("anew") }]);
});

it("a nearly full disk and a host one version away are alerts until they are not", async () => {
  const { facts } = api.host.things;
  api.host.things.facts = { ...facts, disk_free_bytes: 5e9, protocol: 4 };
  await watchHosts(api.context);
  const kinds = (await alerts("open")).map(({ kind }) => kind).sort();
  expect(kinds).toEqual(["disk_nearly_full", "protocol_differs"]);
  api.host.things.facts = facts;
  await watchHosts(api.context);
  expect(await alerts("open")).toEqual([]);
});

it("a database says at once that its host lets nobody in, and that it does again", async () => {
  const body = { name: "P", data: { postgres: true } };
  const { data } = (await api.call("POST", "/api/v1/projects", { body })).body;
  const path = `/api/v1/databases/${data.databases[0].id}`;
  const test = async () => (await api.call("GET", path)).body.data.connection_test;
  expect(await test()).toMatchObject({ status: "ok", reason: null });
  api.host.things.problem = "transaction does not answer";
  expect(await test()).toMatchObject({ status: "failed", reason: api.host.things.problem });
  const ready = await api.call("GET", "/readyz", { key: null });
  expect([ready.status, ready.body.status]).toEqual([503, "unavailable"]);
  api.host.things.problem = null;
  expect(await test()).toMatchObject({ status: "ok" });
});

it("what happens again is told with how often", async () => {
  const facts = { program: "host" as const, what: "crashed" as const };
  for (const seq of [1, 2, 3]) {
    const at = api.clock.now().toISOString();
    api.host.things.incidents.push({ seq, ...facts, at, detail: `It ended (${seq}).` });
    await watchHosts(api.context);
    api.clock.advance(60);
  }
  const [open, ...others] = await alerts("open");
  expect(open).toMatchObject({
    message: expect.stringMatching(/It ended \(3\)\..* It happened 3 times of late\.$/),
    details: { program: "host", times: 3 },
  });
  expect(others).toEqual([]);
});
