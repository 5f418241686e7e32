import { beforeEach, expect, it } from "vitest";
import { createTestApi, type TestApi } from "../support/api.ts";

let api: TestApi;
beforeEach(async () => {
  api = await createTestApi();
});

const projects = "/api/v1/projects";

async function keyWith(rate_limit_rpm: number): Promise<string> {
  const body = { name: "K", rate_limit_rpm };
  return (await api.call("POST", "/api/v1/api-keys", { body })).body.data.key;
}

it("says on every answer what is left of the minute, on errors too", async () => {
  const key = await keyWith(5);
  for (const [path, status, left] of [
    [projects, 200, "4"],
    [`${projects}/no-uuid`, 400, "3"],
    ["/api/v1/webhooks", 403, "2"],
  ] as const) {
    const answer = await api.call("GET", path, { key });
    expect(answer.status).toBe(status);
    expect(answer.headers.get("ratelimit-limit")).toBe("5");
    expect(answer.headers.get("ratelimit-remaining")).toBe(left);
    expect(answer.headers.get("ratelimit-reset")).toMatch(/^([1-9]|[1-5]\d|60)$/);
    expect(answer.headers.get("ratelimit-policy")).toBe("5;w=60");
  }
});

it("answers 429 with the seconds to wait in every spelling clients read", async () => {
  const key = await keyWith(2);
  for (let at = 0; at < 2; at++) await api.call("GET", projects, { key });
  for (let at = 0; at < 2; at++) {
    const { status, body, headers } = await api.call("GET", projects, { key });
    expect([status, body.error.code]).toEqual([429, "rate_limit_exceeded"]);
    const seconds = Number(headers.get("retry-after"));
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(60);
    expect(body).toMatchObject({ retry_after: seconds });
    expect(body.error).toMatchObject({ retryable: true, retry_after_ms: seconds * 1000 });
    expect(headers.get("ratelimit-remaining")).toBe("0");
  }
});

it("does nothing for a request it refuses", async () => {
  const body = { name: "K", rate_limit_rpm: 1, scopes: ["projects:write"] };
  const { key } = (await api.call("POST", "/api/v1/api-keys", { body })).body.data;
  const create = () => api.call("POST", projects, { body: { name: "P" }, key });
  expect([(await create()).status, (await create()).status]).toEqual([201, 429]);
  expect((await api.call("GET", projects)).body.total).toBe(1);
});

it("counts a key before and after its rotation as one", async () => {
  const body = { name: "K", rate_limit_rpm: 2 };
  const { id, key } = (await api.call("POST", "/api/v1/api-keys", { body })).body.data;
  await api.call("GET", projects, { key });
  const rotated = await api.call("POST", `/api/v1/api-keys/${id}/rotate`);
  const { key: next } = rotated.body.data;
  const statuses = [];
  for (const each of [next, key, next]) {
    statuses.push((await api.call("GET", projects, { key: each })).status);
  }
  expect(statuses).toEqual([200, 429, 429]);
});

it("stops an address that floods with wrong keys, and no key that is right there", async () => {
  const headers = { "cf-connecting-ip": "2001:db8::1" };
  const key = await keyWith(600);
  expect((await api.call("GET", projects, { key, headers })).status).toBe(200);
  const wrong = (at: number) =>
    api.call("GET", projects, { key: `msk_u_wrong_${at}_0123456789`, headers });
  const statuses: number[] = [];
  // While it is tried, five more a second are allowed.
  for (let at = 0; at < 1000 && statuses.at(-1) !== 429; at++) {
    statuses.push((await wrong(at)).status);
  }
  expect(statuses.slice(0, 300).every((status) => status === 401)).toBe(true);
  expect(statuses.at(-1)).toBe(429);
  expect((await api.call("GET", projects, { key, headers })).status).toBe(200);
  const neighbor = { "cf-connecting-ip": "2001:db8:0:0:ffff::1" };
  const unknown = "msk_u_wrong_0123456789";
  const theirs: number[] = [];
  for (let at = 0; at < 100 && theirs.at(-1) !== 429; at++) {
    const { status } = await api.call("GET", projects, { key: unknown, headers: neighbor });
    theirs.push(status);
  }
  expect(theirs.at(-1)).toBe(429);
  const stranger = { "cf-connecting-ip": "2001:db8:1::1" };
  expect((await api.call("GET", projects, { key: unknown, headers: stranger })).status).toBe(401);
});

it("lets requests through while the limiter fails", async () => {
  const key = await keyWith(600);
  const broken = { getByName: () => ({ take: () => Promise.reject(new Error("gone")) }) };
  const bindings = { LIMITER: broken };
  const fresh = await createTestApi();
  const answer = await fresh.call("GET", projects, { bindings });
  expect([answer.status, key.length > 0]).toEqual([200, true]);
});
