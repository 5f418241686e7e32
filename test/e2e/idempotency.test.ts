// A mutation with an Idempotency-Key happens once, however often and however fast it is sent.
import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { call, query, until } from "../support/client.ts";
import { system } from "../support/shared-system.ts";

const body = { name: "Smile Dental", data: { postgres: true } };

function create(key: string, fields: object = body) {
  return call(system, "POST", "/projects", { body: fields, headers: { "idempotency-key": key } });
}

async function projectsOf(externalProjectId: string) {
  const path = `/projects?external_project_id=${externalProjectId}`;
  return (await call(system, "GET", path)).body;
}

describe("the same key", () => {
  test("sent twenty times at once makes one project and gives twenty the same answer", async () => {
    const key = randomUUID();
    const fields = { ...body, external_project_id: key };
    const answers = await Promise.all(Array.from({ length: 20 }, () => create(key, fields)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    const replays = answers.filter(({ headers }) => headers.get("idempotency-replayed") === "true");
    expect(replays).toHaveLength(19);
    expect((await projectsOf(key)).total).toBe(1);
    const [database] = answers[0]?.body.data.databases ?? [];
    expect(await query(database.database_url, "select 1 as one")).toEqual([{ one: 1 }]);
  });

  test("sent again later is answered the same without being done again", async () => {
    const key = randomUUID();
    const first = await create(key);
    const second = await create(key);
    expect(second.text).toBe(first.text);
    expect(second.headers.get("idempotency-replayed")).toBe("true");
    expect(first.headers.get("idempotency-replayed")).toBeNull();
  });

  test("with another body is refused, and the first answer stays", async () => {
    const key = randomUUID();
    const first = await create(key);
    const other = await create(key, { ...body, name: "Other" });
    expect(other.status).toBe(422);
    expect(other.body.error.code).toBe("IDEMPOTENCY_KEY_REUSED");
    expect((await create(key)).text).toBe(first.text);
  });

  test("on another path is refused", async () => {
    const key = randomUUID();
    await create(key);
    const other = await call(system, "POST", "/workspaces", {
      body: { name: "x" },
      headers: { "idempotency-key": key },
    });
    expect(other.status).toBe(422);
  });

  test("of a refused request is free for the corrected one", async () => {
    const key = randomUUID();
    expect((await create(key, { name: "" })).status).toBe(422);
    expect((await create(key)).status).toBe(201);
  });

  test("on a deletion answers the same though the thing is gone", async () => {
    const { body: made } = await create(randomUUID());
    const headers = { "idempotency-key": randomUUID() };
    const path = `/databases/${made.data.databases[0].id}`;
    const now = `${path}?grace_seconds=0`;
    const first = await call(system, "DELETE", now, { headers });
    await until(
      "404",
      () => call(system, "GET", path),
      ({ status }) => status === 404,
    );
    const second = await call(system, "DELETE", now, { headers });
    expect(second.status).toBe(first.status);
    expect(second.headers.get("idempotency-replayed")).toBe("true");
  });
});

test("a request without a key is carried out each time", async () => {
  const name = randomUUID();
  const fields = { name: "No key", external_project_id: name };
  await Promise.all([1, 2, 3].map(() => call(system, "POST", "/projects", { body: fields })));
  expect((await projectsOf(name)).total).toBe(3);
});
