import { beforeEach, expect, it } from "vitest";
import { createTestApi, type TestApi } from "../support/api.ts";

let api: TestApi;
let id: string;
beforeEach(async () => {
  api = await createTestApi();
  const body = { name: "Smile Dental", data: { postgres: true } };
  await api.call("POST", "/api/v1/projects", { body });
  id = (await api.call("GET", "/api/v1/operations")).body.data[0].id;
});

const follow = (headers = {}) => api.call("GET", `/api/v1/operations/${id}/stream`, { headers });

it("tells an operation that is over once, as done, and ends", async () => {
  const { status, headers, body } = await follow();
  expect([status, headers.get("content-type")]).toEqual([200, "text/event-stream; charset=utf-8"]);
  const [open, event, ...rest] = body.trim().split("\n\n");
  expect([open, rest]).toEqual([": open", []]);
  expect(event).toMatch(/^id: succeeded-\S+\nevent: done\ndata: \{/);
  const data = JSON.parse(event.split("data: ")[1]);
  expect(data).toMatchObject({ type: "done", id, status: "succeeded", kind: "database.provision" });
});

it("tells each change of one that goes on, and ends when it does", async () => {
  api.host.failAt(1, "before");
  const body = { name: "Slow", data: { postgres: true } };
  await api.call("POST", "/api/v1/projects", { body });
  const [{ id: slow, status, project_id: project }] = (await api.call("GET", "/api/v1/operations"))
    .body.data;
  expect(status).toBe("running");
  let looks = 0;
  const pause = api.context.pause;
  Object.assign(api.context, {
    pause: async (milliseconds: number) => {
      await pause(milliseconds);
      if (++looks === 3) await api.context.drive(`project:${project}`, 0);
    },
  });
  const path = `/api/v1/operations/${slow}/stream`;
  const { body: text } = await api.call("GET", path);
  const types = text.match(/^event: \w+$/gm);
  expect(types).toEqual(["event: operation", "event: done"]);
});

it("does not tell again what a client that comes back has seen", async () => {
  api.host.failAt(1, "before");
  await api.call("POST", "/api/v1/projects", { body: { name: "Slow", data: { postgres: true } } });
  const [{ id: slow }] = (await api.call("GET", "/api/v1/operations")).body.data;
  const path = `/api/v1/operations/${slow}/stream`;
  const later = () => new Date(api.clock.now().getTime() + 11 * 60_000);
  Object.assign(api.context, { pause: async () => api.clock.advanceTo(later()) });
  const { body: first } = await api.call("GET", path);
  const [, seen = ""] = /^id: (.*)$/m.exec(first) ?? [];
  expect(first).toMatch(/^event: operation$/m);
  const { body: second } = await api.call("GET", path, { headers: { "last-event-id": seen } });
  expect(second).not.toMatch(/^event: operation$/m);
});

it("of a stranger is 404", async () => {
  const key = await api.addStranger();
  const path = `/api/v1/operations/${id}/stream`;
  expect((await api.call("GET", path, { key })).status).toBe(404);
});

it("is documented as a stream of events, with the header that resumes it", async () => {
  const { body } = await api.call("GET", "/openapi.json");
  for (const path of ["/operations/{id}/stream", "/databases/{id}/logs/stream"]) {
    const { parameters, responses } = body.paths[`/api/v1${path}`].get;
    expect(Object.keys(responses[200].content)).toEqual(["text/event-stream"]);
    expect(parameters).toContainEqual(
      expect.objectContaining({ in: "header", name: "last-event-id", required: false }),
    );
  }
});
