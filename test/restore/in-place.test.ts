import { beforeEach, describe, expect, it } from "vitest";
import { HostRefusal } from "../../src/core/error.ts";
import { forgetFormers } from "../../src/restore/expire.ts";
import { restore } from "../../src/restore/table.ts";
import { createTestApi, type TestApi } from "../support/api.ts";
import { servingOf } from "../support/fake-recovery.ts";
import { runToEnd } from "../support/run.ts";

const day = 86_400;

let api: TestApi;
let lane: string;
let path: string;
let databaseName: string;

beforeEach(async () => {
  api = await createTestApi();
  const body = { name: "Smile Dental", data: { postgres: true } };
  const { data } = (await api.call("POST", "/api/v1/projects", { body })).body;
  lane = `project:${data.id}`;
  path = `/api/v1/databases/${data.databases[0].id}`;
  databaseName = data.databases[0].database;
});

const serving = () => servingOf(api.host.things, databaseName);
const specNow = () => api.host.databases.get(databaseName)?.spec;
const restoreOf = async (id: string) => (await api.call("GET", `/api/v1/restores/${id}`)).body.data;

async function restored() {
  const body = { target_time: api.clock.now().toISOString(), mode: "in_place" };
  const answer = await api.call("POST", `${path}/restores`, { body });
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  await runToEnd(api, lane);
  return restoreOf(answer.body.data.id);
}

async function undone(id: string) {
  const { status, body } = await api.call("POST", `/api/v1/restores/${id}/undo`);
  await runToEnd(api, lane);
  return { status, code: body.error?.code };
}

/** The calls of this command that a host was sent. */
const sent = (name: string) => api.host.calls.filter((call) => call.name === name).length;

/** Has the next call of a command have its effect, and its answer lost. */
function loseAnswerOf(name: string): void {
  const { port } = api.host;
  const { command } = port;
  let isLost = false;
  Object.assign(port, {
    command: async (...call: Parameters<typeof command>) => {
      const report = await command(...call);
      if (call[1] !== name || isLost) return report;
      isLost = true;
      throw new Error("The answer was lost.");
    },
  });
}

describe("a restore in place", () => {
  it("has the recovered instance serve, and keeps the other one for seven days", async () => {
    const first = serving();
    const { id, state, undo_until } = await restored();
    expect(state).toBe("succeeded");
    expect(serving()).not.toBe(first);
    expect([...api.host.aside.keys()]).toEqual([first]);
    expect(Date.parse(undo_until)).toBeGreaterThan(api.clock.now().getTime() + 6.9 * day * 1000);
    const [row] = await api.context.db.select().from(restore);
    expect(row).toMatchObject({ id, asideInstance: first });
    expect(api.host.recoveries.size).toBe(0);
  });

  it("exchanges once, though the answer was lost", async () => {
    const first = serving();
    loseAnswerOf("recovery.exchange");
    const { state } = await restored();
    expect({ state, sent: sent("recovery.exchange") }).toEqual({ state: "succeeded", sent: 2 });
    expect([...api.host.aside.keys()]).toEqual([first]);
  });

  it("recovers once more when its host has lost what was ready", async () => {
    const { port, things } = api.host;
    const { command } = port;
    let isForgotten = false;
    Object.assign(port, {
      command: async (...call: Parameters<typeof command>) => {
        if (call[1] === "recovery.exchange" && !isForgotten) {
          isForgotten = true;
          things.recoveries.clear();
          things.orders.clear();
        }
        return command(...call);
      },
    });
    expect((await restored()).state).toBe("succeeded");
    expect(sent("recovery.start")).toBe(2);
  });

  it("fails, and changes nothing, when its host refuses to exchange for good", async () => {
    const first = serving();
    const { port } = api.host;
    const { command } = port;
    Object.assign(port, {
      command: async (...call: Parameters<typeof command>) => {
        if (call[1] !== "recovery.exchange") return command(...call);
        throw new HostRefusal("recovery.exchange", 409, "no_room", "The disk is full.");
      },
    });
    expect(await restored()).toMatchObject({ state: "failed", error_message: "The disk is full." });
    expect(serving()).toBe(first);
    expect([api.host.recoveries.size, api.host.aside.size]).toEqual([0, 0]);
  });

  it("gives what serves then the size and the logins of now", async () => {
    const { id } = await restored();
    await api.call("PATCH", path, { body: { size: "large" } });
    await runToEnd(api, lane);
    const large = specNow();
    expect(await undone(id)).toMatchObject({ status: 200 });
    expect(specNow()).toEqual(large);
  });
});

describe("an undo", () => {
  it("brings back what was put aside; twice restores again", async () => {
    const first = serving();
    const { id } = await restored();
    const second = serving();
    await undone(id);
    expect({ serving: serving(), aside: [...api.host.aside.keys()] }).toEqual({
      serving: first,
      aside: [second],
    });
    await undone(id);
    expect({ serving: serving(), aside: [...api.host.aside.keys()] }).toEqual({
      serving: second,
      aside: [first],
    });
    expect((await restoreOf(id)).undone_at).not.toBeNull();
  });

  it("is done once, though the answer was lost", async () => {
    const first = serving();
    const { id } = await restored();
    const second = serving();
    loseAnswerOf("aside.bring_back");
    await undone(id);
    expect({ serving: serving(), aside: [...api.host.aside.keys()] }).toEqual({
      serving: first,
      aside: [second],
    });
    await undone(id);
    expect(serving()).toBe(second);
  });

  it("is over after seven days, when what was put aside goes", async () => {
    const { id } = await restored();
    api.clock.advance(7 * day + 1);
    expect(await undone(id)).toEqual({ status: 409, code: "NOT_UNDOABLE" });
    await forgetFormers(api.context);
    await runToEnd(api, lane);
    expect(api.host.aside.size).toBe(0);
    expect((await restoreOf(id)).undo_until).toBeNull();
  });

  it("of one of two restores brings back what that one replaced", async () => {
    const first = serving();
    const { id } = await restored();
    const { id: later } = await restored();
    const third = serving();
    await undone(id);
    expect(serving()).toBe(first);
    expect(api.host.aside.has(third)).toBe(true);
    await undone(later);
    expect(api.host.aside.has(first)).toBe(true);
  });
});
