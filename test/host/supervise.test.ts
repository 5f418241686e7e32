import { beforeEach, describe, expect, test, vi } from "vitest";
import { ensure, type Program, supervise } from "../../host/supervise.ts";

beforeEach(() => {
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
});

/** A server in memory. `starts` counts; the first `failures` starts fail. */
function aProgram(options: { isRunning: boolean; failures?: number }) {
  let { isRunning, failures = 0 } = options;
  const events = { starts: 0, onStart: () => {} };
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
    stop: async () => {
      isRunning = false;
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
    const supervising = supervise(program, ending.signal);
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
    const supervising = supervise(program, ending.signal);
    await startedAtLast;
    expect(events.starts).toBe(2);
    ending.abort();
    await supervising;
  });
});
