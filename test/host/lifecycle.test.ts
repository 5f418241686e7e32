import { beforeEach, describe, expect, test, vi } from "vitest";
import { aCluster } from "../support/host-database.ts";

beforeEach(() => {
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
});

const waiting = { clients: 1, waiting: 1, busy: 0 };
const idle = { clients: 1, waiting: 0, busy: 0 };

describe("stop", () => {
  test("refuses clients in both poolers and in Postgres, and ends who is there", async () => {
    const { lifecycle, transaction, session, postgres, state } = aCluster();
    transaction.clients.set("proj_a", idle);
    await lifecycle.stop("proj_a");
    expect(transaction.disabled.has("proj_a") && session.disabled.has("proj_a")).toBe(true);
    expect(postgres).toMatchObject({ isAllowed: false, ended: 1 });
    expect(transaction.clients.size).toBe(0);
    expect(state()).toBe("stopped");
  });

  test("of an unknown database changes nothing", async () => {
    const { lifecycle, file } = aCluster();
    await expect(lifecycle.stop("proj_b")).rejects.toMatchObject({ status: 404 });
    expect(file.all.size).toBe(0);
  });

  test("ends a suspension in the journal", async () => {
    const { lifecycle, told } = aCluster();
    await lifecycle.suspend("proj_a");
    await lifecycle.stop("proj_a");
    await lifecycle.start("proj_a");
    expect(told()).toEqual(["suspended", "woken"]);
  });

  test("is wanted before it is done: what fails midway is done at the next look", async () => {
    const { lifecycle, transaction, postgres, state } = aCluster();
    const { disable } = transaction.state;
    transaction.state.disable = () => Promise.reject(new Error("the pooler is gone"));
    await expect(lifecycle.stop("proj_a")).rejects.toThrow("gone");
    expect(state()).toBe("stopped");
    transaction.state.disable = disable;
    await lifecycle.assert("proj_a");
    expect(transaction.disabled.has("proj_a")).toBe(true);
    expect(postgres.isAllowed).toBe(false);
  });

  test("is done again after a pooler forgot it, and not when all is as wanted", async () => {
    const { lifecycle, session, postgres } = aCluster();
    await lifecycle.stop("proj_a");
    await lifecycle.assert("proj_a");
    expect(postgres.ended).toBe(1);
    session.restart();
    await lifecycle.assert("proj_a");
    expect(session.disabled.has("proj_a")).toBe(true);
  });
});

test("who was logging in during a stop is ended at the next look", async () => {
  const { lifecycle, session } = aCluster();
  await lifecycle.stop("proj_a");
  session.clients.set("proj_a", waiting);
  await lifecycle.assert("proj_a");
  expect(session.clients.size).toBe(0);
});

describe("start", () => {
  test("undoes all of a stop, and twice is once", async () => {
    const { lifecycle, transaction, session, postgres, state } = aCluster();
    await lifecycle.stop("proj_a");
    await lifecycle.start("proj_a");
    await lifecycle.start("proj_a");
    expect(postgres.isAllowed).toBe(true);
    for (const { paused, disabled } of [transaction, session]) {
      expect(paused.size + disabled.size).toBe(0);
    }
    expect(state()).toBe("running");
  });
});

describe("suspend", () => {
  test("holds clients, keeps those of the transaction port, and tells of it", async () => {
    const { lifecycle, transaction, session, postgres, told, state } = aCluster();
    transaction.clients.set("proj_a", idle);
    expect(await lifecycle.suspend("proj_a")).toBe(true);
    expect(transaction.paused.has("proj_a") && session.paused.has("proj_a")).toBe(true);
    expect(transaction.clients.get("proj_a")).toBe(idle);
    expect(postgres.isAllowed).toBe(true);
    expect([told(), state()]).toEqual([["suspended"], "suspended"]);
  });

  test.each([
    ["a statement under way", { clients: 1, waiting: 0, busy: 1 }, undefined],
    ["a client that waits", waiting, undefined],
    ["a client of the session port", undefined, idle],
  ])("is not done with %s", async (_, pooled, direct) => {
    const { lifecycle, transaction, session, told, state } = aCluster();
    if (pooled !== undefined) transaction.clients.set("proj_a", pooled);
    if (direct !== undefined) session.clients.set("proj_a", direct);
    expect(await lifecycle.suspend("proj_a")).toBe(false);
    expect(transaction.paused.size + session.paused.size).toBe(0);
    expect([told(), state()]).toEqual([[], "running"]);
  });

  test("is undone at once when a client slips in, or PAUSE cannot come into force", async () => {
    const { lifecycle, transaction, session, told } = aCluster();
    transaction.hooks.onPause = async () => void transaction.clients.set("proj_a", waiting);
    expect(await lifecycle.suspend("proj_a")).toBe(false);
    transaction.clients.clear();
    transaction.hooks.onPause = () => Promise.reject(new Error("Query read timeout"));
    expect(await lifecycle.suspend("proj_a")).toBe(false);
    expect(transaction.paused.size + session.paused.size).toBe(0);
    expect(told()).toEqual([]);
  });

  test("is undone when a backend works that no pooler knows of", async () => {
    const { lifecycle, postgres, transaction } = aCluster();
    postgres.working = 1;
    expect(await lifecycle.suspend("proj_a")).toBe(false);
    expect(transaction.paused.size).toBe(0);
  });

  test("never touches a stopped database", async () => {
    const { lifecycle, state } = aCluster();
    await lifecycle.stop("proj_a");
    expect(await lifecycle.suspend("proj_a")).toBe(false);
    expect(state()).toBe("stopped");
  });

  test("is done again after a pooler forgot it, without a second entry", async () => {
    const { lifecycle, transaction, told } = aCluster();
    await lifecycle.suspend("proj_a");
    transaction.restart();
    await lifecycle.assert("proj_a");
    expect(transaction.paused.has("proj_a")).toBe(true);
    expect(told()).toEqual(["suspended"]);
  });

  test("ends when a pooler that forgot it served somebody", async () => {
    const { lifecycle, transaction, session, told, state } = aCluster();
    await lifecycle.suspend("proj_a");
    transaction.restart();
    transaction.counts.set("proj_a", 2);
    await lifecycle.assert("proj_a");
    expect(session.paused.size).toBe(0);
    expect([told(), state()]).toEqual([["suspended", "woken"], "running"]);
  });

  test("that a crash cut off before its entry is told of afterwards", async () => {
    const { lifecycle, told } = aCluster({ proj_a: { state: "suspended" } });
    await lifecycle.assert("proj_a");
    expect(told()).toEqual(["suspended"]);
  });
});

describe("wake", () => {
  test("lets clients through and tells of it, once", async () => {
    const { lifecycle, transaction, session, told, state } = aCluster();
    await lifecycle.suspend("proj_a");
    await Promise.all([lifecycle.wake("proj_a"), lifecycle.wake("proj_a")]);
    expect(transaction.paused.size + session.paused.size).toBe(0);
    expect([told(), state()]).toEqual([["suspended", "woken"], "running"]);
  });

  test("leaves a stopped database stopped", async () => {
    const { lifecycle, transaction, state } = aCluster();
    await lifecycle.stop("proj_a");
    await lifecycle.wake("proj_a");
    expect(transaction.disabled.has("proj_a")).toBe(true);
    expect(state()).toBe("stopped");
  });
});
