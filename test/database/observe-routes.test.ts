import { beforeEach, describe, expect, it } from "vitest";
import { createTestApi, type TestApi } from "../support/api.ts";

let api: TestApi;
let path: string;
beforeEach(async () => {
  api = await createTestApi();
  const body = { name: "Smile Dental", data: { postgres: true } };
  const { data } = (await api.call("POST", "/api/v1/projects", { body })).body;
  path = `/api/v1/databases/${data.databases[0].id}`;
});

const line = (message: string) => ({
  at: "2026-01-01T00:00:00.000Z",
  source: "postgres" as const,
  level: "error" as const,
  message,
  sqlstate: "42P01",
});

const session = {
  pid: 42,
  role: "usr_x",
  application: "psql",
  state: "active",
  wait: "Lock: relation",
  blocked_by: [41],
  query: "drop table t",
  age_seconds: 3,
  transaction_seconds: 2,
  query_seconds: 1,
};

describe("sessions", () => {
  it("say what they do, for how long, and what blocks them", async () => {
    api.host.seen.sessions.push(session);
    const { status, body } = await api.call("GET", `${path}/sessions`);
    expect(status).toBe(200);
    expect(body.data).toMatchObject([{ pid: 42, wait: "Lock: relation", blocked_by: [41] }]);
  });

  it.each(["cancel", "terminate"])("take a %s; an unknown one is 404", async (signal) => {
    api.host.seen.sessions.push(session);
    expect((await api.call("POST", `${path}/sessions/42/${signal}`)).status).toBe(200);
    expect((await api.call("POST", `${path}/sessions/43/${signal}`)).status).toBe(404);
  });

  it.each(["0", "-1", "abc", "1.5", "99999999999"])("have no pid %s: 400", async (pid) => {
    const { status, body } = await api.call("POST", `${path}/sessions/${pid}/cancel`);
    expect(status).toBe(400);
    expect(body.error.message).toMatch(/pid/);
  });

  it("that cannot be asked for are 503, to be repeated", async () => {
    api.host.failAt(1, "before");
    const { status, body } = await api.call("GET", `${path}/sessions`);
    expect([status, body.error.retryable]).toEqual([503, true]);
  });
});

describe("logs", () => {
  it("come in the shapes of all clients", async () => {
    api.host.seen.lines.push(line('relation "t" does not exist'));
    const { body } = await api.call("GET", `${path}/logs?lines=10`);
    expect(body.data.logs).toMatchObject([
      { t: "2026-01-01T00:00:00.000Z", stream: "stderr", level: "error", sqlstate: "42P01" },
    ]);
    expect(body.lines).toEqual([expect.stringMatching(/ERROR: relation "t" does not exist$/)]);
  });

  it.each(["lines=0", "lines=1001", "lines=x", "since=yesterday"])("refuse %s", async (query) => {
    const { status, body } = await api.call("GET", `${path}/logs?${query}`);
    expect(status).toBe(422);
    expect(Object.keys(body.errors)).toEqual([query.split("=")[0]]);
  });

  it("stream the last lines, then those that come, and go on from Last-Event-ID", async () => {
    api.host.seen.lines.push(line("one"), line("two"));
    const pause = api.context.pause;
    Object.assign(api.context, {
      pause: async (milliseconds: number) => {
        await pause(milliseconds);
        if (api.host.seen.lines.length === 2) api.host.seen.lines.push(line("three"));
      },
    });
    const { body } = await api.call("GET", `${path}/logs/stream`);
    const messages = [...body.matchAll(/"message":"(\w+)"/g)].map(([, message]) => message);
    expect(messages.slice(0, 3)).toEqual(["one", "two", "three"]);
    expect(body).toMatch(/^event: timeout$/m);
    expect(body).toMatch(/^: heartbeat$/m);
    const [, id = ""] = /^id: (.*)$/m.exec(body) ?? [];
    const from = async (lastEventId: string) => {
      const headers = { "last-event-id": lastEventId };
      const { body: text } = await api.call("GET", `${path}/logs/stream`, { headers });
      return [...text.matchAll(/"message":"(\w+)"/g)].map(([, message]) => message);
    };
    expect(await from(id)).toEqual(["three"]);
    // Where the host keeps lines is nothing a client may choose.
    expect(await from("2")).toEqual(["one", "two", "three"]);
  });
});

describe("a stream of logs", () => {
  /** Does something at the n-th pause of the stream. */
  function atPause(n: number, act: () => unknown) {
    const { pause } = api.context;
    let pauses = 0;
    Object.assign(api.context, {
      pause: async (milliseconds: number) => {
        await pause(milliseconds);
        if (++pauses === n) await act();
      },
    });
  }

  it("is 503 when the host does not answer at the start", async () => {
    api.host.failAt(1, "before");
    const { status, headers, body } = await api.call("GET", `${path}/logs/stream`);
    expect([status, headers.get("retry-after")]).toEqual([503, "5"]);
    expect(body.error).toMatchObject({ code: "HOST_UNAVAILABLE", retryable: true });
  });

  it("waits for a host that is away meanwhile, and loses no line", async () => {
    atPause(1, () => {
      api.host.seen.lines.push(line("late"));
      api.host.failAt(1, "after");
    });
    const { body } = await api.call("GET", `${path}/logs/stream`);
    expect(body.match(/"message":"late"/g)).toHaveLength(1);
  });

  it("ends when the database is deleted", async () => {
    atPause(1, () => api.call("DELETE", path));
    const { body } = await api.call("GET", `${path}/logs/stream`);
    expect(body).toMatch(/event: done\ndata: .*gone.*\n\n$/);
  });

  it.each(["text/event-stream", "text/event-stream, application/json, */*", "*/*"])(
    "is one for a client that accepts %s",
    async (accept) => {
      const { headers } = await api.call("GET", `${path}/logs/stream`, { headers: { accept } });
      expect(headers.get("content-type")).toMatch(/^text\/event-stream/);
    },
  );

  it("refuses a Last-Event-ID that is none, naming it", async () => {
    const headers = { "last-event-id": "x".repeat(1001) };
    const { status, body } = await api.call("GET", `${path}/logs/stream`, { headers });
    expect([status, Object.keys(body.errors)]).toEqual([422, ["last-event-id"]]);
  });
});

it("asks and signals nobody's database but its own, and wakes none", async () => {
  const name = [...api.host.databases.keys()].find((each) => each.startsWith("proj_")) ?? "";
  api.host.move(name, "suspended", api.clock.now());
  const began = api.host.calls.length;
  for (const what of ["sessions", "logs", "metrics"]) {
    expect((await api.call("GET", `${path}/${what}`)).status).toBe(200);
  }
  const calls = api.host.calls.slice(began).map((call) => call.name);
  expect(calls).toEqual(["session.list", "database.logs", "database.metrics"]);
  expect(api.host.inState("asleep")).toEqual([name]);
});

describe("metrics", () => {
  const point = {
    at: "2026-01-01T00:01:00.000Z",
    seconds: 60,
    transactions: 10,
    rollbacks: 1,
    errors: 2,
    slow_statements: 0,
    blocks_hit: 90,
    blocks_read: 10,
    deadlocks: 0,
    temporary_bytes: 0,
    size_bytes: 8_000_000,
    client_connections: 3,
    waiting_clients: 0,
    server_connections: 1,
  };

  it("are series with sums and the share of blocks found in memory", async () => {
    api.host.seen.points.push(point, point);
    const { body } = await api.call("GET", `${path}/metrics?window=15m`);
    expect(body.data).toMatchObject({
      window: "15m",
      window_seconds: 900,
      totals: { transactions: 20, errors: 4, cache_hit_ratio: 0.9 },
      current: { size_bytes: 8_000_000, client_connections: 3 },
    });
    expect(body.data.series.transactions).toHaveLength(2);
  });

  it.each(["59", "8d", "1y", "-1h", ""])("refuse a window of %s", async (window) => {
    const { status, body } = await api.call("GET", `${path}/metrics?window=${window}`);
    expect(status).toBe(422);
    expect(body.errors).toHaveProperty("window");
  });
});

it("somebody else's is 404, and a reader may not signal", async () => {
  const key = await api.addStranger();
  for (const what of ["sessions", "logs", "logs/stream", "metrics"]) {
    expect((await api.call("GET", `${path}/${what}`, { key })).status).toBe(404);
  }
  const reader = await api.addKey(["databases:read"]);
  const answer = await api.call("POST", `${path}/sessions/1/cancel`, { key: reader });
  expect(answer.status).toBe(403);
});
