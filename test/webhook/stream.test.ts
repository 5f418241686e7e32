import { eq } from "drizzle-orm";
import { beforeEach, describe, expect, it } from "vitest";
import { enterStream, leaveStream, streamsMax, streamsOfKeyMax } from "../../src/account/stream.ts";
import { apiKey, openStream as streams } from "../../src/account/table.ts";
import { recordEvent } from "../../src/webhook/event.ts";
import { event } from "../../src/webhook/table.ts";
import { createTestApi, type TestApi } from "../support/api.ts";

let api: TestApi;
let workspaceId: string;
let pause: TestApi["context"]["pause"];
beforeEach(async () => {
  api = await createTestApi();
  ({ pause } = api.context);
  [{ id: workspaceId }] = (await api.call("GET", "/api/v1/workspaces")).body.data;
});

/** Records an event that has this number in its data. */
async function happen(n: number, type: "database.created" | "project.created", owner = {}) {
  const subject = {
    id: "thing",
    organizationId: api.actor.organizationId as string,
    workspaceId,
    projectId: null,
    externalWorkspaceId: null,
    externalUserId: null,
    externalProjectId: null,
    metadata: {},
    ...owner,
  };
  await api.context.db.batch([recordEvent(api.context, type, subject, { data: { n } })]);
}

/** Has `work` done at each pause of a stream in turn, and the stream ended after them. */
function atPauses(...works: (() => Promise<unknown>)[]) {
  Object.assign(api.context, {
    pause: async (milliseconds: number) => {
      const work = works.shift();
      if (work === undefined) api.clock.advance(600);
      await work?.();
      await pause(milliseconds);
    },
  });
}

const follow = (query = "", headers = {}, key?: string) =>
  api.call("GET", `/api/v1/events/stream${query}`, {
    headers,
    ...(key === undefined ? {} : { key }),
  });

/** The events a stream told, as clients parse them. */
function told(text: string) {
  return text
    .split("\n\n")
    .filter((frame) => frame.startsWith("id: "))
    .map((frame) => {
      const [id = "", type = "", data = ""] = frame.split("\n");
      return { id: id.slice(4), type: type.slice(7), data: JSON.parse(data.slice(6)) };
    });
}
const numbers = (text: string) => told(text).map(({ data }) => data.data.n);

describe("the stream of events", () => {
  it("begins now and tells each event as it is recorded, whole in its data", async () => {
    await happen(1, "database.created");
    atPauses(() => happen(2, "database.created", { externalUserId: "user-7" }));
    const { status, headers, body } = await follow();
    expect([status, headers.get("content-type")]).toEqual([
      200,
      "text/event-stream; charset=utf-8",
    ]);
    const [only, ...others] = told(body);
    expect(others).toEqual([]);
    expect(only).toMatchObject({ type: "database.created", id: only?.data.id });
    expect(only?.data).toMatchObject({
      type: "database.created",
      tenant_id: api.actor.organizationId,
      ts: expect.stringMatching(/^\d{4}-/),
      external_user_id: "user-7",
      data: { n: 2 },
    });
    expect(body).toMatch(/event: timeout\n.*\n\n$/);
  });

  it("goes on after the last event seen: nothing is lost, nothing comes twice", async () => {
    const all = Array.from({ length: 12 }, (_, n) => n);
    atPauses(() => happen(0, "database.created"));
    let seen = told((await follow()).body);
    while (seen.length < all.length) {
      // Some come while nobody is connected, some while somebody is.
      const n = seen.length;
      await happen(n, "database.created");
      if (n + 1 < all.length) atPauses(() => happen(n + 1, "project.created"));
      else atPauses();
      const { body } = await follow("", { "last-event-id": seen.at(-1)?.id });
      seen = [...seen, ...told(body)];
    }
    expect(seen.map(({ data }) => data.data.n)).toEqual(all);
  });

  it("goes on from the cursor of a list that was read to its end", async () => {
    for (const n of [0, 1, 2]) await happen(n, "database.created");
    const { body: page } = await api.call("GET", "/api/v1/events?order=asc&limit=2");
    atPauses(() => happen(3, "database.created"));
    const { body } = await follow("", { "last-event-id": page.next_cursor });
    expect(numbers(body)).toEqual([2, 3]);
  });

  it("tells many at once in the order they were recorded", async () => {
    const { body: page } = await api.call("GET", "/api/v1/events?order=asc");
    for (let n = 0; n < 60; n++) await happen(n, "database.created");
    atPauses();
    const { body } = await follow("", { "last-event-id": page.next_cursor });
    expect(numbers(body)).toEqual(Array.from({ length: 60 }, (_, n) => n));
  });

  it.each([
    ["?types=project.*", [2]],
    ["?types=database.*,project.created", [1, 2, 3]],
    ["?types=*.created", [1, 2, 3]],
    ["?types=deployment.*", []],
    ["?scope=all", [1, 2, 3]],
    ["?scope=external_user:user-7", [3]],
  ])("with %s tells those alone", async (query, expected) => {
    const { body: page } = await api.call("GET", "/api/v1/events?order=asc");
    await happen(1, "database.created");
    await happen(2, "project.created");
    await happen(3, "database.created", { externalUserId: "user-7" });
    atPauses();
    const { body } = await follow(query, { "last-event-id": page.next_cursor });
    expect(numbers(body)).toEqual(expected);
  });

  it("shows a key of one workspace that workspace's events, as does a scope of it", async () => {
    const other = (await api.call("POST", "/api/v1/workspaces", { body: { name: "Other" } })).body;
    const bound = await api.addKey(["events:read"], other.data.id);
    const { next_cursor } = (await api.call("GET", "/api/v1/events?order=asc")).body;
    const after = { "last-event-id": next_cursor };
    await happen(1, "database.created");
    await happen(2, "database.created", { workspaceId: other.data.id });
    await happen(3, "database.created", { organizationId: "somebody" });
    atPauses();
    expect(numbers((await follow("", after, bound)).body)).toEqual([2]);
    expect(numbers((await follow(`?scope=workspace:${other.data.id}`, after)).body)).toEqual([2]);
    const foreign = await follow(`?scope=workspace:${workspaceId}`, after, bound);
    expect(foreign.status).toBe(404);
    const stranger = await api.addStranger();
    expect(numbers((await follow("", after, stranger)).body)).toEqual([]);
  });

  it("has a second name", async () => {
    atPauses(() => happen(1, "project.created"));
    const { body } = await api.call("GET", "/api/v1/tenant/events/stream?types=project.*");
    expect(numbers(body)).toEqual([1]);
  });

  it.each([
    ["?types=database.exploded", "types"],
    ["?types=", "types"],
    ["?types=a;b", "types"],
    [`?types=${Array(21).fill("a.b").join()}`, "types"],
    ["?scope=everything", "scope"],
  ])("with %s is 422 and names the field", async (query, field) => {
    const { status, body } = await follow(query);
    expect([status, Object.keys(body.errors)]).toEqual([422, [field]]);
  });

  it("ends within ten seconds after its key was rotated without an overlap", async () => {
    const body = { name: "K", scopes: ["events:read"] };
    const { id, key } = (await api.call("POST", "/api/v1/api-keys", { body })).body.data;
    const rotate = (seconds: number) =>
      api.call("POST", `/api/v1/api-keys/${id}/rotate`, { body: { overlap_seconds: seconds } });
    atPauses(
      () => rotate(0),
      async () => api.clock.advance(7),
      () => happen(1, "database.created"),
    );
    const { body: told } = await follow("", {}, key);
    expect([numbers(told), told.includes("event: error")]).toEqual([[], true]);
  });

  it("ends within ten seconds after its key is revoked or expires", async () => {
    for (const change of [{ status: "revoked" as const }, { expiresAt: api.clock.now() }]) {
      const key = await api.addKey(["events:read"]);
      const later = async () => api.clock.advance(7);
      atPauses(
        () => happen(1, "database.created"),
        () => api.context.db.update(apiKey).set(change).where(eq(apiKey.name, "test")),
        later,
        () => happen(2, "database.created"),
      );
      const { body } = await follow("", {}, key);
      expect(numbers(body)).toEqual([1]);
      expect(body).not.toContain("event: timeout");
    }
  });

  it.each([
    ["may do less", { scopes: ["webhooks:read"] }],
    ["may come from elsewhere alone", { allowedNetworks: ["10.0.0.0/8"] }],
  ])("ends within ten seconds after its key %s", async (_, change) => {
    const key = await api.addKey(["events:read"]);
    atPauses(
      () => happen(1, "database.created"),
      () => api.context.db.update(apiKey).set(change).where(eq(apiKey.name, "test")),
      async () => api.clock.advance(7),
      () => happen(2, "database.created"),
    );
    const { body } = await follow("", {}, key);
    expect(numbers(body)).toEqual([1]);
    expect(body).toContain("or was changed");
  });

  it("needs the scope to read events", async () => {
    const key = await api.addKey(["databases:read"]);
    const { status, body } = await follow("", {}, key);
    expect([status, body.error.details]).toEqual([403, { required_scope: "events:read" }]);
  });
});

describe("a place in the stream that is not kept", () => {
  it("is 410 and says how to go on", async () => {
    for (const id of ["019a0000-0000-7000-8000-000000000001", btoa("s:0").replaceAll("=", "")]) {
      await happen(1, "database.created");
      await api.context.db.delete(event);
      await happen(2, "database.created");
      const { status, body } = await follow("", { "last-event-id": id });
      expect([status, body.error.code]).toEqual([410, "EVENT_GONE"]);
      expect(body.error.message).toContain("order=asc");
    }
  });

  it("is 422 when it is no place at all", async () => {
    expect((await follow("", { "last-event-id": "yesterday" })).status).toBe(422);
  });

  it("is 410 when the event is another organization's", async () => {
    await happen(1, "database.created");
    const [row] = await api.context.db.select().from(event);
    const key = await api.addStranger();
    expect((await follow("", { "last-event-id": row?.id }, key)).status).toBe(410);
  });
});

describe("open streams", () => {
  const enter = (keyId: string) => enterStream(api.context, { ...api.actor, keyId });

  it("are limited for a key, and other keys of its organization have theirs", async () => {
    for (let n = 0; n < streamsOfKeyMax; n++) await enter(api.actor.keyId);
    const { status, body } = await follow();
    expect([status, body.error.details]).toEqual([429, { streams_max: streamsOfKeyMax }]);
    atPauses();
    expect((await follow("", {}, await api.addKey(["events:read"]))).status).toBe(200);
  });

  it("are limited for an organization, with the reason; one that ends makes room", async () => {
    const stranger = await api.addStranger();
    for (let n = 1; n < streamsMax; n++) await enter(`key ${n}`);
    const last = await enter("another key");
    const { status, body, headers } = await follow();
    expect([status, body.error.code]).toEqual([429, "TOO_MANY_STREAMS"]);
    expect(body.error.message).toMatch(/50 streams/);
    expect(headers.get("retry-after")).toBe("30");
    expect(await api.context.db.select().from(streams)).toHaveLength(streamsMax);
    await leaveStream(api.context, last);
    atPauses();
    expect((await follow()).status).toBe(200);
    expect(await api.context.db.select().from(streams)).toHaveLength(streamsMax - 1);
    expect((await follow("", {}, stranger)).status).toBe(200);
  });

  it("whose process was lost are forgotten within a minute", async () => {
    for (let n = 0; n < streamsMax; n++) await enter(`key ${n}`);
    expect((await follow()).status).toBe(429);
    api.clock.advance(61);
    atPauses();
    expect((await follow()).status).toBe(200);
    expect(await api.context.db.select().from(streams)).toEqual([]);
  });

  it("count for as long as they are open", async () => {
    let most = 0;
    const count = async () => {
      most = (await api.context.db.select().from(streams)).length;
      api.clock.advance(45);
    };
    atPauses(count, count, count, count);
    await follow();
    expect(most).toBe(1);
  });
});
