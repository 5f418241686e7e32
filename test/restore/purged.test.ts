import { beforeEach, expect, it } from "vitest";
import { createTestApi, type TestApi } from "../support/api.ts";
import { runToEnd } from "../support/run.ts";

let api: TestApi;
let path: string;
let projectId: string;
let targetTime: string;
beforeEach(async () => {
  api = await createTestApi();
  const body = { name: "Smile Dental", data: { postgres: true } };
  const { data } = (await api.call("POST", "/api/v1/projects", { body })).body;
  projectId = data.id;
  path = `/api/v1/databases/${data.databases[0].id}`;
  api.clock.advanceTo(new Date(api.clock.now().getTime() + 1000));
  targetTime = api.clock.now().toISOString();
  api.clock.advanceTo(new Date(api.clock.now().getTime() + 1000));
});

const now = { grace_seconds: 0 };
const restore = (body: Record<string, unknown>) =>
  api.call("POST", `${path}/restores`, { body: { target_time: targetTime, ...body } });

async function restored(body: Record<string, unknown>, lane: string) {
  const begun = await restore(body);
  expect(begun.status).toBe(201);
  await runToEnd(api, `project:${lane}`);
  return (await api.call("GET", `/api/v1/restores/${begun.body.data.id}`)).body.data;
}

it("what is purged still has its window, up to its end, and its backups and restores", async () => {
  await api.call("DELETE", path, { body: now });
  expect((await api.call("GET", path)).status).toBe(404);
  const { body } = await api.call("GET", `${path}/recovery-window`);
  expect(body.data.latest).toBe(api.clock.now().toISOString());
  for (const list of ["backups", "restores"]) {
    expect((await api.call("GET", `${path}/${list}`)).status).toBe(200);
  }
  const after = new Date(api.clock.now().getTime() + 1000).toISOString();
  const { status, body: refused } = await restore({ target_time: after });
  expect(status).toBe(422);
  expect(refused.error.details.latest).toBe(body.data.latest);
});

it("what is purged is restored as new, never in place", async () => {
  await api.call("DELETE", path, { body: now });
  const refused = await restore({ mode: "in_place" });
  expect(refused.status).toBe(409);
  expect(refused.body.error.message).toMatch(/Restore it with mode new\.$/);
  expect(await restored({ name: "revenant" }, projectId)).toMatchObject({
    state: "succeeded",
    project_id: projectId,
  });
});

it("with its project gone, a restore names another; without it is 422 by that field", async () => {
  await api.call("DELETE", `/api/v1/projects/${projectId}`, { body: now });
  const refused = await restore({});
  expect(refused.status).toBe(422);
  expect(Object.keys(refused.body.errors)).toEqual(["project_id"]);
  const body = { name: "Another" };
  const { id: project_id } = (await api.call("POST", "/api/v1/projects", { body })).body.data;
  const answer = await restored({ project_id, environment: "staging" }, project_id);
  expect(answer).toMatchObject({ state: "succeeded", project_id });
});

it("of a stranger is 404 as ever", async () => {
  await api.call("DELETE", path, { body: now });
  const key = await api.addStranger();
  const answer = await api.call("GET", `${path}/recovery-window`, { key });
  expect(answer.status).toBe(404);
});

it("a logical backup of what is purged is restored as new", async () => {
  const begun = await api.call("POST", `${path}/backups`, { body: {} });
  expect(begun.status).toBe(201);
  await runToEnd(api, `project:${projectId}`);
  await api.call("DELETE", path, { body: now });
  const { body } = await api.call("GET", `${path}/backups`);
  const [dump] = body.data.filter(({ type }: { readonly type: string }) => type === "logical");
  const restores = { body: { backup_id: dump.id, name: "from a dump" } };
  const answer = await api.call("POST", `${path}/restores`, restores);
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  await runToEnd(api, `project:${projectId}`);
  const { data } = (await api.call("GET", `/api/v1/restores/${answer.body.data.id}`)).body;
  expect(data).toMatchObject({ state: "succeeded", project_id: projectId });
});
