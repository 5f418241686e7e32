import { beforeEach, describe, expect, test, vi } from "vitest";
import { createWatch } from "../../host/watch.ts";
import { aCluster } from "../support/host-database.ts";

beforeEach(() => {
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
});

const idle = { clients: 1, waiting: 0, busy: 0 };

/** A watch over `proj_a`, which is to be suspended after ten seconds of a clock by hand. */
function aWatch() {
  const cluster = aCluster({ proj_a: { suspend_after_seconds: 10 } });
  const hand = { milliseconds: 0, pids: "1 2" };
  const watch = createWatch({
    file: cluster.file,
    lifecycle: cluster.lifecycle,
    poolers: cluster.poolers,
    poolerPids: () => hand.pids,
    clock: () => hand.milliseconds,
  });
  const lookAfter = async (seconds: number) => {
    hand.milliseconds += seconds * 1000;
    await watch.suspendIdle();
  };
  return { ...cluster, watch, hand, lookAfter };
}

describe("an unused database", () => {
  test("is suspended when its time is over, and not before", async () => {
    const { lookAfter, told } = aWatch();
    await lookAfter(0);
    await lookAfter(9.9);
    expect(told()).toEqual([]);
    await lookAfter(0.1);
    expect(told()).toEqual(["suspended"]);
  });

  test("has all of its time again after each statement, however short", async () => {
    const { lookAfter, transaction, told } = aWatch();
    await lookAfter(0);
    await lookAfter(9);
    transaction.counts.set("proj_a", 1);
    await lookAfter(1);
    await lookAfter(9);
    expect(told()).toEqual([]);
    await lookAfter(1);
    expect(told()).toEqual(["suspended"]);
  });

  test("is not one with a transaction open or a client on the session port", async () => {
    const { lookAfter, transaction, session, told } = aWatch();
    transaction.clients.set("proj_a", { clients: 1, waiting: 0, busy: 1 });
    for (const seconds of [0, 20, 20]) await lookAfter(seconds);
    transaction.clients.set("proj_a", idle);
    session.clients.set("proj_a", idle);
    for (const seconds of [1, 20, 20]) await lookAfter(seconds);
    expect(told()).toEqual([]);
  });

  test("stays when its time is set to none", async () => {
    const { lookAfter, file, told } = aWatch();
    await lookAfter(0);
    await file.change("proj_a", { suspend_after_seconds: 0 });
    await lookAfter(1000);
    expect(told()).toEqual([]);
  });

  test("that could not be suspended is tried again only after all of its time", async () => {
    const { lookAfter, postgres, lifecycle } = aWatch();
    const suspend = vi.spyOn(lifecycle, "suspend");
    postgres.working = 1;
    for (const seconds of [0, 10, 1, 8]) await lookAfter(seconds);
    expect(suspend).toHaveBeenCalledTimes(1);
    await lookAfter(2);
    expect(suspend).toHaveBeenCalledTimes(2);
  });
});

describe("a suspended database", () => {
  test.each(["transaction", "session"] as const)("wakes for who waits at %s", async (mode) => {
    const cluster = aWatch();
    await cluster.lifecycle.suspend("proj_a");
    await cluster.watch.wakeAwaited();
    expect(cluster.told()).toEqual(["suspended"]);
    cluster[mode].clients.set("proj_a", { clients: 1, waiting: 1, busy: 0 });
    await cluster.watch.wakeAwaited();
    expect(cluster.told()).toEqual(["suspended", "woken"]);
  });

  test("sleeps on while clients of the transaction port are idle", async () => {
    const { lifecycle, watch, transaction, told } = aWatch();
    transaction.clients.set("proj_a", idle);
    await lifecycle.suspend("proj_a");
    await watch.wakeAwaited();
    expect(told()).toEqual(["suspended"]);
  });

  test("is held again as soon as a pooler has another pid", async () => {
    const { lifecycle, watch, transaction, hand } = aWatch();
    await lifecycle.suspend("proj_a");
    await watch.wakeAwaited();
    transaction.restart();
    hand.pids = "3 2";
    await watch.wakeAwaited();
    expect(transaction.paused.has("proj_a")).toBe(true);
  });
});

test("nobody is asked anything while every database runs without a time", async () => {
  const { watch, file, transaction } = aWatch();
  await file.change("proj_a", { suspend_after_seconds: 0 });
  const use = vi.spyOn(transaction.state, "use");
  await watch.wakeAwaited();
  await watch.suspendIdle();
  expect(use).not.toHaveBeenCalled();
});
