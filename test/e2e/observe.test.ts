// What a caller sees of its own database: sessions, logs, metrics, and operations as they go.
import type { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { call, connected, createProject, query, until } from "../support/client.ts";
import { follow } from "../support/follow.ts";
import { operatorQuery } from "../support/operator.ts";
import { system } from "../support/shared-system.ts";

type Created = Awaited<ReturnType<typeof createProject>>["database"];
let mine: Created;
let theirs: Created;

beforeAll(async () => {
  [{ database: mine }, { database: theirs }] = await Promise.all([
    createProject(system),
    createProject(system),
  ]);
  await query(mine.database_url, "create table visit (at timestamptz)");
});

interface Session {
  readonly pid: number;
  readonly role: string;
  readonly wait: string | null;
  readonly query: string;
  readonly blocked_by: readonly number[];
}

const sessionsOf = async (database: Created): Promise<readonly Session[]> => {
  const { status, body } = await call(system, "GET", `/databases/${database.id}/sessions`);
  expect(status).toBe(200);
  return body.data;
};

async function pidOf(client: Client): Promise<number> {
  return (await client.query("select pg_backend_pid() as pid")).rows[0].pid;
}

describe("sessions", () => {
  let holder: Client;
  let blocked: Client;

  beforeAll(async () => {
    holder = await connected(mine.database_url);
    blocked = await connected(mine.database_url_session, { application_name: "reports" });
  });
  afterAll(() => Promise.allSettled([holder?.end(), blocked?.end()]));

  const signal = (database: Created, pid: number, what: "cancel" | "terminate") =>
    call(system, "POST", `/databases/${database.id}/sessions/${pid}/${what}`);

  test("show who waits, for what, how long, and who blocks it", async () => {
    await holder.query("begin");
    await holder.query("lock table visit");
    const [holderPid, blockedPid] = [await pidOf(holder), await pidOf(blocked)];
    const counted = blocked.query("select count(*)::int as n from visit");
    counted.catch(() => undefined);
    const look = async () => (await sessionsOf(mine)).find(({ pid }) => pid === blockedPid);
    const session = await until("A wait", look, (found) => found?.blocked_by.length === 1);
    expect(session).toEqual({
      pid: blockedPid,
      role: new URL(mine.database_url).username,
      application_name: "reports",
      state: "active",
      wait: "Lock: relation",
      blocked_by: [holderPid],
      query: "select count(*)::int as n from visit",
      age_seconds: expect.any(Number),
      transaction_seconds: expect.any(Number),
      query_seconds: expect.any(Number),
    });
    expect(await sessionsOf(mine)).toContainEqual(
      expect.objectContaining({
        pid: holderPid,
        state: "idle in transaction",
        blocked_by: [],
        query_seconds: null,
      }),
    );
    await holder.query("rollback");
    expect((await counted).rows).toEqual([{ n: 0 }]);
  });

  test("a cancel ends the statement alone, a terminate the session", async () => {
    const pid = await pidOf(blocked);
    const sleeping = blocked.query("select pg_sleep(60)").catch((error) => error.code);
    await until(
      "A sleep",
      () => sessionsOf(mine),
      (all) => all.some(({ wait }) => wait === "Timeout: PgSleep"),
    );
    const { status, body } = await signal(mine, pid, "cancel");
    expect([status, body.data]).toEqual([200, { pid, signal: "cancel" }]);
    expect(await sleeping).toBe("57014");
    expect(await pidOf(blocked)).toBe(pid);
    expect((await signal(mine, pid, "terminate")).status).toBe(200);
    await until(
      "An end",
      () => sessionsOf(mine),
      (all) => all.every((session) => session.pid !== pid),
    );
    await expect(blocked.query("select 1")).rejects.toThrow();
  });

  test("a neighbour's, and the platform's own, look exactly like none", async () => {
    const neighbour = await connected(theirs.database_url_session);
    try {
      const pid = await pidOf(neighbour);
      const [platform] = await operatorQuery(
        system,
        new URL(mine.database_url).pathname.slice(1),
        "select pid from pg_stat_activity where usename is null limit 1",
      );
      const answers = [];
      for (const each of [999_999_999, pid, Number(platform?.pid)]) {
        for (const what of ["cancel", "terminate"] as const) {
          const { status, body } = await signal(mine, each, what);
          answers.push([status, body.error.code, body.error.message]);
        }
      }
      expect(answers[0]?.[0]).toBe(404);
      expect(new Set(answers.map(String)).size).toBe(1);
      expect(await pidOf(neighbour)).toBe(pid);
      const roles = (await sessionsOf(mine)).map(({ role }) => role);
      expect(new Set(roles)).toEqual(new Set([new URL(mine.database_url).username]));
    } finally {
      await neighbour.end();
    }
  });

  test("do not show a statement that sets a password", async () => {
    const client = await connected(theirs.database_url_session);
    try {
      const pid = await pidOf(client);
      await client.query("select 'alter role x password ''s3cret'''");
      const session = (await sessionsOf(theirs)).find((each) => each.pid === pid);
      expect(session?.query).toBe("<a statement that names a password>");
    } finally {
      await client.end();
    }
  });

  test("of one that is stopped or suspended are none, and asking wakes nobody", async () => {
    const { database } = await createProject(system);
    const path = `/databases/${database.id}`;
    expect((await call(system, "POST", `${path}/stop`)).status).toBe(200);
    expect(await sessionsOf(database)).toEqual([]);
    expect((await call(system, "GET", path)).body.data.state).toBe("stopped");
    await call(system, "POST", `${path}/start`);
    await call(system, "PATCH", path, { body: { suspend_after_seconds: 5 } });
    const stateOf = async () => (await call(system, "GET", path)).body.data.state;
    await until("Suspension", stateOf, (state) => state === "suspended");
    expect(await sessionsOf(database)).toEqual([]);
    expect(await stateOf()).toBe("suspended");
  });
});

test("an operation's stream tells its steps as they happen, and that it is done", async () => {
  const body = { target_time: new Date().toISOString(), mode: "preview" };
  const restore = await call(system, "POST", `/databases/${mine.id}/restores`, { body });
  expect(restore.status, restore.text).toBe(201);
  const id = restore.body.data.operation_id;
  const events = [];
  for await (const event of follow(system, `/operations/${id}/stream`)) events.push(event);
  const [first, last] = [events.at(0), events.at(-1)];
  expect(first?.type).toBe("operation");
  expect(first?.data).toMatchObject({ id, kind: "database.preview", steps_total: 2 });
  expect(last?.type).toBe("done");
  expect(last?.data).toMatchObject({ status: "succeeded", steps_done: 2, current_step: null });
  expect(Object.keys(last?.data.step_milliseconds)).toEqual(["bringBack", "open"]);
  expect(new Set(events.map((event) => event.id)).size).toBe(events.length);
  await call(system, "DELETE", `/restores/${restore.body.data.id}`);
});

describe("logs", () => {
  const logsOf = async (database: Created, search = "") => {
    const { status, body } = await call(system, "GET", `/databases/${database.id}/logs${search}`);
    expect(status).toBe(200);
    return body;
  };
  /** A statement that fails, and Postgres logs with the name of what is not there. */
  const fail = async (database: Created, name: string) => {
    await expect(query(database.database_url, `select * from ${name}`)).rejects.toThrow(name);
  };
  const isAbout =
    (name: string) =>
    ({ message }: { message: string }) =>
      message.includes(name);

  test("tell an error to its own database alone, in the shapes of all clients", async () => {
    const since = new Date().toISOString();
    await fail(mine, "missing_in_mine");
    const look = () => logsOf(mine, `?since=${since}`);
    const { data, lines } = await until("A line", look, ({ data }) =>
      data.logs.some(isAbout("missing_in_mine")),
    );
    expect(data.database_id).toBe(mine.id);
    expect(data.logs.find(isAbout("missing_in_mine"))).toMatchObject({
      source: "postgres",
      stream: "stderr",
      level: "error",
      message: 'relation "missing_in_mine" does not exist',
      sqlstate: "42P01",
    });
    expect(lines).toEqual(data.logs.map(({ line }: { line: string }) => line));
    expect(data.logs.every(({ t }: { t: string }) => t >= since)).toBe(true);
    expect((await logsOf(theirs, "?lines=1000")).data.logs.filter(isAbout("mine"))).toEqual([]);
    expect((await logsOf(mine, "?lines=1")).lines).toHaveLength(1);
  });

  test("stream what comes, and go on after Last-Event-ID where a client left", async () => {
    const path = `/databases/${mine.id}/logs/stream`;
    /** Reads on until a line about `name`; its id, and the messages on the way. */
    const readTo = async (name: string, headers?: Record<string, string>) => {
      const messages: string[] = [];
      await fail(mine, name);
      for await (const { id, type, data } of follow(system, path, headers)) {
        expect([type, data.type]).toEqual(["log", "log"]);
        messages.push(data.message);
        if (isAbout(name)(data)) return { id: id ?? "", messages };
      }
      throw new Error(`The stream ended after ${messages}`);
    };
    const { id } = await readTo("first_missing");
    await fail(mine, "missed_meanwhile");
    const { messages } = await readTo("second_missing", { "last-event-id": id });
    expect(messages.filter((message) => message.startsWith("relation"))).toEqual([
      'relation "missed_meanwhile" does not exist',
      'relation "second_missing" does not exist',
    ]);
  });

  test("stream a line that comes while a client reads", async () => {
    const path = `/databases/${mine.id}/logs/stream?lines=1`;
    const events = [];
    for await (const { data } of follow(system, path)) {
      if (events.push(data.message) === 1) await fail(mine, "while_reading");
      if (isAbout("while_reading")(data)) break;
    }
    expect(events.at(-1)).toBe('relation "while_reading" does not exist');
  });
});

test("a host that is silent is 503 in seconds, and a stream goes on once it speaks", async () => {
  const path = `/databases/${theirs.id}`;
  const host = system.pid("host");
  const stream = follow(system, `${path}/logs/stream`);
  /** Fails a statement and reads on to the line about it. */
  const readTo = async (name: string) => {
    await expect(query(theirs.database_url, `select * from ${name}`)).rejects.toThrow(name);
    for (let read = await stream.next(); !read.done; read = await stream.next()) {
      if (read.value.data.message.includes(name)) return;
    }
    throw new Error(`The stream ended before it told of ${name}.`);
  };
  await readTo("before_silence");
  // The launcher would send the host on.
  const halted = [system.pid("launcher"), host];
  for (const pid of halted) process.kill(pid, "SIGSTOP");
  try {
    const began = performance.now();
    const answers = await Promise.all(
      ["sessions", "logs", "metrics"].map((what) => call(system, "GET", `${path}/${what}`)),
    );
    expect(performance.now() - began).toBeLessThan(15_000);
    for (const { status, headers, body } of answers) {
      expect([status, headers.get("retry-after")]).toEqual([503, "5"]);
      expect(body.error.code).toBe("HOST_UNAVAILABLE");
    }
  } finally {
    for (const pid of halted) process.kill(pid, "SIGCONT");
  }
  await readTo("after_silence");
  await stream.return(undefined);
  expect((await call(system, "GET", `${path}/logs?lines=1`)).status).toBe(200);
});

test("metrics say what a database stores, and who is connected", async () => {
  const client = await connected(mine.database_url);
  try {
    const look = async () => {
      const { body } = await call(system, "GET", `/databases/${mine.id}/metrics?window=15m`);
      return body.data;
    };
    // The host looks once a minute.
    const metrics = await until("A point", look, (it) => it.current.client_connections > 0, 75);
    expect(metrics).toMatchObject({ database_id: mine.id, window: "15m", window_seconds: 900 });
    expect(metrics.current.size_bytes).toBeGreaterThan(5_000_000);
    expect(metrics.series.size_bytes.at(-1).value).toBe(metrics.current.size_bytes);
  } finally {
    await client.end();
  }
}, 90_000);
