import { asc } from "drizzle-orm";
import { beforeEach, describe, expect, it } from "vitest";
import type { Transition } from "../../src/contract/transition.ts";
import { pullTransitions } from "../../src/database/suspend.ts";
import { host } from "../../src/host/table.ts";
import { event } from "../../src/webhook/table.ts";
import { createTestApi, type TestApi } from "../support/api.ts";
import { hostId } from "../support/seed.ts";

let api: TestApi;
let path: string;
let name: string;
beforeEach(async () => {
  api = await createTestApi();
  const database = await createDatabase("Smile Dental");
  path = `/api/v1/databases/${database.id}`;
  name = database.database;
  await api.call("PATCH", path, { body: { suspend_after_seconds: 60 } });
});

async function createDatabase(project: string): Promise<{ id: string; database: string }> {
  const body = { name: project, data: { postgres: true } };
  return (await api.call("POST", "/api/v1/projects", { body })).body.data.databases[0];
}

/** The host moves the database by itself, a minute after it last did. */
function move(to: Transition["to"], database = name): string {
  api.clock.advance(60);
  api.host.move(database, to, api.clock.now());
  return api.clock.now().toISOString();
}

const get = async () => (await api.call("GET", path)).body.data;
const pull = () => pullTransitions(api.context, hostId);
const seq = async () => (await api.context.db.select().from(host))[0]?.transitionSeq;
const told = async () => {
  const rows = await api.context.db.select().from(event).orderBy(asc(event.seq));
  return rows
    .filter(({ type }) => type === "database.paused" || type === "database.resumed")
    .map(({ type, occurredAt, data }) => [type, occurredAt.toISOString(), data.reason]);
};

describe("a suspension and a wake", () => {
  it("show in GET at once, with events of the exact times they happened", async () => {
    const suspendedAt = move("suspended");
    api.clock.advance(30);
    expect(await get()).toMatchObject({ state: "suspended", proxy_status: "ready" });
    const wokenAt = move("woken");
    api.clock.advance(30);
    expect((await get()).state).toBe("running");
    expect(await told()).toEqual([
      ["database.paused", suspendedAt, "idle"],
      ["database.resumed", wokenAt, "client"],
    ]);
  });

  it("that came and went between two looks are told both", async () => {
    move("suspended");
    move("woken");
    expect((await get()).state).toBe("running");
    expect(await told()).toHaveLength(2);
  });

  it("are told once, however many look at the same time", async () => {
    move("suspended");
    await Promise.all(Array.from({ length: 8 }, pull));
    expect(await told()).toHaveLength(1);
    expect(await pull()).toBe(false);
    expect(await seq()).toBe(1);
  });

  it("of hundreds are brought in bounded batches", async () => {
    for (let times = 0; times < 250; times++) {
      move("suspended");
      move("woken");
    }
    await pull();
    expect(await told()).toHaveLength(500);
    expect(await seq()).toBe(500);
    expect((await get()).state).toBe("running");
  });

  it("of another database do not move this one", async () => {
    const { database } = await createDatabase("Another");
    move("suspended", database);
    move("suspended", "proj_nobodys");
    await pull();
    expect((await get()).state).toBe("running");
    expect(await told()).toHaveLength(1);
  });
});

describe("a host that does not answer", () => {
  it("fails no GET", async () => {
    move("suspended");
    api.host.failAt(1, "before");
    expect((await get()).state).toBe("running");
    expect((await get()).state).toBe("suspended");
  });
});

describe("a host that lost its report", () => {
  it("is asked what is now, and followed from there", async () => {
    move("suspended");
    await pull();
    api.host.things.transitions.splice(0);
    api.host.change(name, { state: "running" });
    expect((await get()).state).toBe("running");
    expect((await told()).map(([type]) => type)).toEqual(["database.paused", "database.resumed"]);
    expect(await seq()).toBe(0);
    move("suspended");
    expect((await get()).state).toBe("suspended");
  });

  it("in part is followed from what it still has", async () => {
    for (let times = 0; times < 3; times++) {
      move("suspended");
      move("woken");
    }
    move("suspended");
    api.host.things.transitions.splice(0, 4);
    expect((await get()).state).toBe("suspended");
    expect(await seq()).toBe(7);
    expect(await told()).toHaveLength(1);
  });
});

describe("a suspended database", () => {
  beforeEach(async () => {
    move("suspended");
    await pull();
  });

  it("is stopped, and its end of sleep is nobody's wake", async () => {
    expect((await api.call("POST", `${path}/stop`)).body.data.state).toBe("stopped");
    move("woken");
    api.host.change(name, { state: "stopped" });
    await pull();
    expect((await get()).state).toBe("stopped");
    expect((await told()).map(([type, , reason]) => [type, reason])).toEqual([
      ["database.paused", "idle"],
      ["database.paused", "request"],
    ]);
  });

  it.each(["start", "restart"])("runs after a %s, and is told to once", async (verb) => {
    const { status, body } = await api.call("POST", `${path}/${verb}`);
    expect([status, body.data.state]).toEqual([200, "running"]);
    move("woken");
    await pull();
    expect((await told()).map(([type, , reason]) => [type, reason])).toEqual([
      ["database.paused", "idle"],
      ["database.resumed", "request"],
    ]);
  });

  it.each([
    ["resized", () => api.call("PATCH", path, { body: { size: "medium" } })],
    ["given new credentials", () => api.call("POST", `${path}/credentials/rotate`, { body: {} })],
  ])("is %s, and its state stays its host's to say", async (_, verb) => {
    expect((await verb()).status).toBe(200);
    expect((await get()).state).toBe("suspended");
  });
});
