import { beforeEach, describe, expect, test, vi } from "vitest";
import type { Answer } from "../../../host/base/server-probe.ts";
import {
  createWatch,
  ensure,
  type Program,
  patienceMilliseconds,
  supervise,
} from "../../../host/pooler/supervise.ts";

beforeEach(() => {
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
});

/** A server in memory. `starts` counts; the first `failures` starts fail. */
function aProgram(options: { isRunning: boolean; failures?: number }) {
  let { isRunning, failures = 0 } = options;
  const events = { starts: 0, ends: 0, answer: "answers" as Answer, onStart: () => {} };
  const program: Program = {
    name: "postgres",
    find: () => (isRunning ? 4711 : undefined),
    check: async () => {
      if (!isRunning) throw new Error("not running");
    },
    start: async () => {
      events.starts += 1;
      if (failures-- > 0) throw new Error("the port is taken");
      isRunning = true;
      events.onStart();
    },
    probe: async () => events.answer,
    stop: async () => {
      isRunning = false;
    },
    end: async () => {
      events.ends += 1;
      isRunning = false;
      events.answer = "answers";
    },
  };
  return { program, events };
}

function started(events: { onStart: () => void }): Promise<void> {
  return new Promise((resolve) => {
    events.onStart = resolve;
  });
}

describe("a server", () => {
  test("that runs already is adopted and not started a second time", async () => {
    const { program, events } = aProgram({ isRunning: true });
    await ensure(program);
    expect(events.starts).toBe(0);
  });

  test("that does not run is started", async () => {
    const { program, events } = aProgram({ isRunning: false });
    await ensure(program);
    expect(events.starts).toBe(1);
  });

  test("that dies is started again within a second", async () => {
    const { program, events } = aProgram({ isRunning: true });
    const ending = new AbortController();
    const supervising = supervise(
      createWatch(program, () => {}),
      ending.signal,
    );
    const startedAgain = started(events);
    const diedAt = performance.now();
    await program.stop();
    await startedAgain;
    expect(performance.now() - diedAt).toBeLessThan(1000);
    ending.abort();
    await supervising;
  });

  test("that cannot be started is tried again until it can", async () => {
    const { program, events } = aProgram({ isRunning: false, failures: 1 });
    const ending = new AbortController();
    const startedAtLast = started(events);
    const supervising = supervise(
      createWatch(program, () => {}),
      ending.signal,
    );
    await startedAtLast;
    expect(events.starts).toBe(2);
    ending.abort();
    await supervising;
  });
});

describe("a server that lives", () => {
  /** Looks every 200 ms of a clock of its own; what was told meanwhile. */
  function watched(answer: Answer) {
    const { program, events } = aProgram({ isRunning: true });
    const told: string[] = [];
    const clock = { now: 0 };
    const tell = (_: string, what: string) => void told.push(what);
    const watch = createWatch(program, tell, () => clock.now);
    events.answer = answer;
    const looks = async (milliseconds: number, step = 200) => {
      for (let spent = 0; spent < milliseconds; spent += step) {
        await watch.look();
        clock.now += step;
      }
    };
    return { watch, events, told, looks };
  }

  test("and does not answer is not ready at once, and started anew in ten seconds", async () => {
    const { watch, events, told, looks } = watched("silent");
    await looks(200);
    expect([watch.isReady(), events.starts]).toEqual([false, 0]);
    await looks(patienceMilliseconds + 400);
    expect([watch.isReady(), events.ends, events.starts, told]).toEqual([true, 1, 1, ["hung"]]);
    expect(patienceMilliseconds).toBeLessThanOrEqual(5000);
  });

  test("and was told to stop but does not go is started anew", async () => {
    const { events, told, looks } = watched("leaving");
    await looks(patienceMilliseconds + 400);
    expect([events.ends, events.starts, told]).toEqual([1, 1, ["left"]]);
  });

  test("and recovers from a crash is left alone, however long that takes", async () => {
    const { watch, events, told, looks } = watched("starting");
    await looks(20 * patienceMilliseconds);
    expect([watch.isReady(), events.ends, told]).toEqual([false, 0, []]);
  });

  test("on a machine that is starved is judged by nobody", async () => {
    const { events, looks } = watched("silent");
    await looks(20 * patienceMilliseconds, 2000);
    expect(events.ends).toBe(0);
  });
});

test("a server that ends by itself is told, with what was done", async () => {
  const { program, events } = aProgram({ isRunning: false });
  const told: string[][] = [];
  const watch = createWatch(
    program,
    (...[program, what, detail]) => void told.push([program, what, detail]),
  );
  await watch.look();
  expect([events.starts, watch.isReady()]).toEqual([1, true]);
  expect(told).toEqual([["postgres", "crashed", expect.stringContaining("started again")]]);
});
