import { beforeEach, expect, it } from "vitest";
import { createTestApi, type TestApi } from "../support/api.ts";
import { clusterId } from "../support/seed.ts";

let api: TestApi;
beforeEach(async () => {
  api = await createTestApi();
});

const clusters = "/api/v1/admin/clusters";
const registration = {
  id: "00000000-0000-4000-8000-000000000001",
  name: "eu-1",
  host_url: "https://eu-1.example.com:4000",
  public_host: "eu-1.example.com",
  transaction_port: 6432,
  session_port: 6433,
  control_user: "miosa_control",
  control_password: "a password only operators know",
  databases_max: 300,
};
const register = (body: object, call = {}) => api.call("POST", clusters, { body, ...call });

it("registers a cluster once; the same again is an update", async () => {
  expect((await register(registration)).status).toBe(201);
  api.clock.advance(1);
  const again = await register({ ...registration, transaction_port: 7000 });
  expect([again.status, again.body.data.transaction_port]).toEqual([200, 7000]);
  const { body } = await api.call("GET", clusters);
  expect(body.total).toBe(2);
});

it("never shows a cluster's login", async () => {
  await register(registration);
  const text = JSON.stringify((await api.call("GET", clusters)).body);
  expect(text).not.toMatch(/only operators know|sealed|s1\./);
});

it("is the operator's alone: 403 with any other key, 401 without", async () => {
  const key = await api.addKey(["*"]);
  expect((await register(registration, { key })).status).toBe(403);
  expect((await api.call("GET", clusters, { key })).status).toBe(403);
  expect((await register(registration, { key: null })).status).toBe(401);
});

it("gives anybody who vouches for its clusters, each once", async () => {
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

it("refuses a name another cluster has with 409", async () => {
  await register(registration);
  const id = "00000000-0000-4000-8000-000000000002";
  expect((await register({ ...registration, id })).status).toBe(409);
});

it("is compared with its rows when an operator asks", async () => {
  const path = `/api/v1/admin/clusters/${clusterId}/reconcile`;
  const { status, body } = await api.call("POST", path);
  expect([status, body.data]).toEqual([200, { repaired: 0, failed: 0, orphans: 0 }]);
  const unknown = path.replace(clusterId, "019a0000-0000-7000-8000-000000000000");
  expect((await api.call("POST", unknown)).status).toBe(404);
  const key = await api.addKey(["*"]);
  expect((await api.call("POST", path, { key })).status).toBe(403);
});
