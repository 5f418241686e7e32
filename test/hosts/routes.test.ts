import { beforeEach, describe, expect, it, vi } from "vitest";
import { createTestApi, type TestApi } from "../support/api.ts";
import { hostId } from "../support/seed.ts";

let api: TestApi;
beforeEach(async () => {
  api = await createTestApi();
});

const hosts = "/api/v1/admin/hosts";
const registration = {
  id: "00000000-0000-4000-8000-000000000001",
  name: "eu-1",
  host_url: "https://eu-1.example.com:4000",
  public_host: "eu-1.example.com",
  transaction_port: 6432,
  session_port: 6433,
  databases_max: 300,
};
const register = (body: object, call = {}) => api.call("POST", hosts, { body, ...call });

it("registers a host once; the same again is an update", async () => {
  expect((await register(registration)).status).toBe(201);
  api.clock.advance(1);
  const again = await register({ ...registration, transaction_port: 7000 });
  expect([again.status, again.body.data.transaction_port]).toEqual([200, 7000]);
  const { body } = await api.call("GET", hosts);
  expect(body.total).toBe(2);
});

it("never shows what is sealed", async () => {
  await register(registration);
  const text = JSON.stringify((await api.call("GET", hosts)).body);
  expect(text).not.toMatch(/seal|s1\./);
});

it("is the operator's alone: 403 with any other key, 401 without", async () => {
  const key = await api.addKey(["*"]);
  expect((await register(registration, { key })).status).toBe(403);
  expect((await api.call("GET", hosts, { key })).status).toBe(403);
  expect((await register(registration, { key: null })).status).toBe(401);
});

it("gives anybody who vouches for its hosts, each once", async () => {
  const ask = () => api.call("GET", "/.well-known/miosa-ca.pem", { key: null });
  expect((await ask()).body).toBe("");
  const pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  await register({ ...registration, ca_certificates: pem });
  const id = "00000000-0000-4000-8000-000000000002";
  await register({ ...registration, id, name: "eu-2", ca_certificates: pem });
  const { status, headers, body } = await ask();
  expect([status, headers.get("content-type"), body]).toEqual([200, "application/x-pem-file", pem]);
});

it.each([
  ["ca_certificates", { ca_certificates: "-----BEGIN PRIVATE KEY-----\nAAAA\n" }],
  ["backends_max", { backends_max: 1 }],
  ["host_url", { host_url: "http://eu-1.example.com" }],
  ["host_url", { host_url: "http://127.0.0.1.evil.example.com:4000" }],
  ["id", { id: "1" }],
  ["transaction_port", { transaction_port: 0 }],
  ["databases_max", { databases_max: 1e9 }],
])("refuses a wrong %s with 422", async (field, change) => {
  const answer = await register({ ...registration, ...change });
  expect(answer.status).toBe(422);
  expect(answer.body.errors).toHaveProperty(field);
});

it("refuses a name another host has with 409", async () => {
  await register(registration);
  const id = "00000000-0000-4000-8000-000000000002";
  expect((await register({ ...registration, id })).status).toBe(409);
});

it("is compared with its rows when an operator asks", async () => {
  const path = `/api/v1/admin/hosts/${hostId}/reconcile`;
  const { status, body } = await api.call("POST", path);
  expect([status, body.data]).toEqual([200, { repaired: 0, failed: 0, orphans: 0 }]);
  const unknown = path.replace(hostId, "019a0000-0000-7000-8000-000000000000");
  expect((await api.call("POST", unknown)).status).toBe(404);
  const key = await api.addKey(["*"]);
  expect((await api.call("POST", path, { key })).status).toBe(403);
});

describe("a host that does not prove what is said of it", () => {
  const failing = (message: string) =>
    vi.spyOn(api.context.host, "prove").mockRejectedValue(new Error(message));
  const known = { ...registration, id: hostId, name: "test" };

  it.each([
    ["host_url", "no host of ours answers there: connect refused"],
    ["public_host", "is eu-2.example.com in the host's own configuration"],
    ["id", "it does not take our commands under this id: 401"],
  ])("is 422 naming %s, and stays where it was", async (field, reason) => {
    const before = (await api.call("GET", hosts)).body.data;
    failing(`${field}: ${reason}`);
    for (const body of [registration, known]) {
      const answer = await register(body);
      expect([answer.status, answer.body.errors]).toEqual([422, { [field]: [reason] }]);
    }
    expect((await api.call("GET", hosts)).body.data).toEqual(before);
  });

  it.each([
    "https://a:secret@host.example",
    "https://host.example/path",
    "https://host.example/?query",
  ])("is 422 for what is more than an address: %s", async (host_url) => {
    const { status, body } = await register({ ...registration, host_url });
    expect([status, Object.keys(body.errors)]).toEqual([422, ["host_url"]]);
  });

  it("is 422 for fewer databases than a known one has", async () => {
    for (const name of ["a", "b"]) {
      await api.call("POST", "/api/v1/projects", { body: { name, data: { postgres: true } } });
    }
    const { status, body } = await register({ ...known, databases_max: 1 });
    expect([status, body.errors]).toEqual([
      ...[422, { databases_max: ["must be at least 2: so many are there."] }],
    ]);
  });

  it("is 409 when another host answers for a known one", async () => {
    const { facts } = api.host.things;
    const identity = "8a1f0000-0000-4000-8000-000000000002";
    api.host.things.facts = { ...facts, identity };
    const before = (await api.call("GET", hosts)).body.data;
    const { status, body } = await register(known);
    expect([status, body.error.code]).toEqual([409, "HOST_IS_ANOTHER"]);
    expect((await api.call("GET", hosts)).body.data).toEqual(before);
  });
});

describe("a registered host", () => {
  const one = `${hosts}/${hostId}`;
  const project = () =>
    api.call("POST", "/api/v1/projects", { body: { name: "P", data: { postgres: true } } });

  it("says which version of the protocol it and this Worker speak", async () => {
    const { data } = (await api.call("GET", one)).body;
    expect(data.protocol).toBe(data.worker_protocol);
  });

  it("that is draining takes no new database, and those it has stay", async () => {
    const made = await project();
    const { body } = await api.call("PATCH", one, { body: { state: "draining" } });
    expect(body.data).toMatchObject({ state: "draining", databases_count: 1 });
    expect((await project()).body.error.code).toBe("NO_CAPACITY");
    expect(made.body.data.databases[0].state).toBe("running");
    await api.call("PATCH", one, { body: { state: "active" } });
    expect((await project()).status).toBe(201);
  });

  it("takes no maximum below what it has", async () => {
    await project();
    await project();
    const { status, body } = await api.call("PATCH", one, { body: { databases_max: 1 } });
    expect([status, Object.keys(body.errors)]).toEqual([422, ["databases_max"]]);
  });

  it("is forgotten when it is empty, and not before", async () => {
    await project();
    const refused = await api.call("DELETE", one);
    expect([refused.status, refused.body.error.code]).toEqual([409, "HOST_NOT_EMPTY"]);
    await register(registration);
    expect((await api.call("DELETE", `${hosts}/${registration.id}`)).status).toBe(204);
    expect((await api.call("GET", `${hosts}/${registration.id}`)).status).toBe(404);
    expect((await register(registration)).status).toBe(201);
  });
});

describe("the trash of a host", () => {
  const trash = `${hosts}/${hostId}/trash`;
  let live: string;

  beforeEach(async () => {
    const body = { name: "P", data: { postgres: true } };
    const { data } = (await api.call("POST", "/api/v1/projects", { body })).body;
    live = data.databases[0].database;
    const found = api.host.databases.get(live);
    if (found === undefined) throw new Error("Nothing was made.");
    api.host.things.databases.set("proj_lost", { ...found, state: "stopped" });
    api.host.things.databases.set("preview_lost", { ...found, state: "stopped" });
    await api.call("POST", `/api/v1/databases/${data.databases[0].id}/stop`);
  });

  it("lists what is stopped and no row names, and starts it again", async () => {
    const { body } = await api.call("GET", trash);
    expect(body.data).toMatchObject([{ name: "proj_lost", size_bytes: 8_000_000 }]);
    expect((await api.call("POST", `${trash}/proj_lost/restore`)).status).toBe(200);
    expect(api.host.inState("running")).toEqual(["proj_lost"]);
    expect((await api.call("GET", trash)).body.total).toBe(0);
  });

  it("removes an item when a person says so, and nothing else", async () => {
    for (const name of ["proj_other", live, "preview_lost"]) {
      expect((await api.call("DELETE", `${trash}/${name}`)).status).toBe(404);
    }
    expect((await api.call("DELETE", `${trash}/PROJ`)).status).toBe(422);
    expect((await api.call("DELETE", `${trash}/proj_lost`)).status).toBe(204);
    expect([...api.host.databases.keys()].sort()).toEqual(["preview_lost", live].sort());
  });
});
