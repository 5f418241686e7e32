// Who did what, on the real stack: linked within seconds by one lane, however many write at once.
import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { call, createProject, query, until } from "../support/client.ts";
import { system } from "../support/shared-system.ts";

const verified = async () => (await call(system, "GET", "/audit-log/verify")).body.data;

test("calls that come at once are linked in one order within seconds", async () => {
  const before = await until("a log at rest", verified, ({ unsealed }) => unsealed === 0);
  const names = Array.from({ length: 40 }, () => randomUUID());
  const made = await Promise.all(
    names.map((name) => call(system, "POST", "/workspaces", { body: { name } })),
  );
  expect(new Set(made.map(({ status }) => status))).toEqual(new Set([201]));
  const isLinked = ({ checked, unsealed }: { checked: number; unsealed: number }) =>
    unsealed === 0 && checked >= before.checked + names.length;
  const after = await until("links", verified, isLinked, 10);
  expect(after).toMatchObject({ holds: true, broken: null, is_complete: true });
  const { body } = await call(system, "GET", "/audit-log?action=workspaces.create&limit=100");
  const ids = made.map((answer) => answer.body.data.id);
  const logged = body.data.map((entry: { resource_id: string }) => entry.resource_id);
  expect(ids.filter((id) => !logged.includes(id))).toEqual([]);
}, 30_000);

test("an entry names where a request came from, whatever the request says", async () => {
  const headers = { "x-request-id": randomUUID(), "cf-connecting-ip": "203.0.113.9" };
  await call(system, "POST", "/workspaces", { body: { name: randomUUID() }, headers });
  const { body } = await call(system, "GET", `/audit-log?request_id=${headers["x-request-id"]}`);
  expect(body.data).toMatchObject([{ action: "workspaces.create" }]);
  expect(body.data[0].address).toBe("127.0.0.1");
});

test("the log holds no password of a database, through its whole life", async () => {
  const { database } = await createProject(system, { name: "Audited" });
  const path = `/databases/${database.id}`;
  const rotated = await call(system, "POST", `${path}/credentials/rotate`, { body: {} });
  await call(system, "GET", `${path}/credentials`);
  expect(await query(rotated.body.data.url, "select 1 as one")).toEqual([{ one: 1 }]);
  await call(system, "DELETE", `${path}?grace_seconds=0`);
  const { body, text } = await call(system, "GET", `/audit-log?resource_id=${database.id}`);
  expect(body.data.map(({ action }: { action: string }) => action)).toEqual([
    "databases.delete",
    "databases.credentials",
    "databases.rotateCredentials",
  ]);
  for (const url of [database.database_url, rotated.body.data.url]) {
    expect(text).not.toContain(new URL(url).password);
  }
});
