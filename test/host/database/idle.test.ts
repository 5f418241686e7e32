// Which databases are put to sleep, and when.
import { beforeEach, expect, test } from "vitest";
import { createIdleLook } from "../../../host/database/idle.ts";
import type { DatabaseRecord } from "../../../host/database/record.ts";
import type { LineUse } from "../../../host/pooler/pair.ts";
import { smallSpec } from "../../support/spec.ts";

const database = (name: string, seconds: number): DatabaseRecord => ({
  database: name,
  spec: { ...smallSpec("u", "v"), suspend_after_seconds: seconds },
  ...{ state: "running", createdAt: "2026-01-01T00:00:00Z" },
});

let seconds: number;
let uses: Map<string, LineUse>;
let awake: Set<string>;
let look: () => Promise<readonly string[]>;
const records = [database("soon", 60), database("late", 600), database("never", 0)];

beforeEach(() => {
  seconds = 1000;
  awake = new Set(records.map(({ database: name }) => name));
  uses = new Map();
  look = createIdleLook({
    all: () => records,
    use: async () => uses,
    isAwake: (name) => awake.has(name),
    sleep: async (name) => awake.delete(name),
    clock: () => seconds * 1000,
  });
});

async function after(later: number): Promise<readonly string[]> {
  seconds += later;
  return look();
}

test("one that nobody uses sleeps after its time, and one that is never to does not", async () => {
  expect(await after(0)).toEqual([]);
  expect(await after(59)).toEqual([]);
  expect(await after(1)).toEqual(["soon"]);
  expect(await after(539)).toEqual([]);
  expect(await after(1)).toEqual(["late"]);
  expect(await after(100_000)).toEqual([]);
  expect([...awake]).toEqual(["never"]);
});

test("a statement, a client that waits and a session keep it awake", async () => {
  await after(0);
  for (let answered = 1; answered < 5; answered++) {
    uses.set("soon", { busy: 0, answered });
    expect(await after(59)).toEqual([]);
  }
  uses.set("soon", { busy: 1, answered: 4 });
  expect(await after(600)).toEqual(["late"]);
  expect(await after(600)).toEqual([]);
  uses.set("soon", { busy: 0, answered: 4 });
  expect(await after(59)).toEqual([]);
  expect(await after(1)).toEqual(["soon"]);
});

test("one that was woken has its whole time again", async () => {
  await after(0);
  expect(await after(60)).toEqual(["soon"]);
  awake.add("soon");
  expect(await after(30)).toEqual([]);
  expect(await after(59)).toEqual([]);
  expect(await after(1)).toEqual(["soon"]);
});
