import { describe, expect, it } from "vitest";
import { type Look, streamEvents } from "../../src/core/sse.ts";
import { createTestContext } from "../support/context.ts";

const pace = { milliseconds: 1000, millisecondsMax: 2000 };
const quiet: Look = { events: [], isOver: false };
const over: Look = { events: [{ type: "done", data: { n: 2 }, id: "b" }], isOver: true };

/** A look that brings each of these in turn, and then the last one for ever. */
function inTurn(looks: readonly Look[]) {
  let count = 0;
  return {
    look: async () => looks[Math.min(count++, looks.length - 1)] ?? quiet,
    count: () => count,
  };
}

describe("a stream of events", () => {
  it("opens at once, names each event in its data, and ends when it is over", async () => {
    const { context } = await createTestContext();
    const news = { events: [{ type: "log", data: { line: "a\nb" } }], isOver: false };
    const response = streamEvents(context, pace, inTurn([news, quiet, over]).look);
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    expect(await response.text()).toBe(
      ': open\n\nevent: log\ndata: {"type":"log","line":"a\\nb"}\n\n' +
        'id: b\nevent: done\ndata: {"type":"done","n":2}\n\n',
    );
  });

  it("is not silent for longer than some 15 seconds, and ends after ten minutes", async () => {
    const { context, clock } = await createTestContext();
    const began = clock.now().getTime();
    const { look, count } = inTurn([quiet]);
    const text = await streamEvents(context, pace, look).text();
    expect(text.match(/^: heartbeat$/gm)?.length).toBeGreaterThanOrEqual(35);
    expect(text).toMatch(/event: timeout\ndata: .*Connect again.*\n\n$/);
    expect((clock.now().getTime() - began) / 60_000).toBeCloseTo(10, 1);
    expect(count()).toBeLessThan(1000);
  });

  it("looks no more once the client is gone, even while nothing is to be told", async () => {
    const { context } = await createTestContext();
    const { look, count } = inTurn([quiet]);
    let wake = () => {};
    const pause = () => new Promise<void>((resolve) => (wake = resolve));
    const { body } = streamEvents({ ...context, pause }, pace, look);
    const reader = body?.getReader();
    await reader?.read();
    await expect.poll(count).toBe(1);
    await reader?.cancel();
    wake();
    await new Promise((resolve) => setTimeout(resolve));
    expect(count()).toBe(1);
  });

  it("asks the client to come back when a look fails, and tells the operator why", async () => {
    const { context, log } = await createTestContext();
    const look = () => Promise.reject(new Error("D1 is away"));
    const text = await streamEvents(context, pace, look).text();
    expect(text).toMatch(/event: timeout/);
    expect(text).not.toMatch(/D1/);
    expect(log).toMatchObject([{ level: "warning", reason: "D1 is away" }]);
  });
});
