import { expect, it } from "vitest";
import {
  type Allowance,
  type Bucket,
  createAllowances,
  type Lease,
  takeFrom,
  type Wish,
} from "../../src/account/allowance.ts";

/** The one place that counts, and isolates that ask it. */
function createWorld() {
  const buckets = new Map<string, Bucket>();
  const world = { milliseconds: 0, asked: 0, failures: 0, isBroken: false };
  const ask = async (name: string, wish: Wish): Promise<Lease> => {
    world.asked++;
    if (world.isBroken) throw new Error("nobody answers");
    const taken = takeFrom(buckets.get(name) ?? null, wish, world.milliseconds);
    buckets.set(name, taken.bucket);
    return taken.lease;
  };
  const onFailure = () => {
    world.failures++;
  };
  const anIsolate = () => createAllowances(ask, () => world.milliseconds, onFailure);
  return { world, anIsolate };
}

const allowed = (answers: readonly Allowance[]) => answers.filter((it) => it.isAllowed).length;

async function spend(count: number, one: () => Promise<Allowance>): Promise<Allowance[]> {
  return Promise.all(Array.from({ length: count }, one));
}

it("allows a limit's number of requests at once, and as many again a minute later", async () => {
  const { world, anIsolate } = createWorld();
  const isolate = anIsolate();
  for (const minute of [1, 2, 3]) {
    const answers = await spend(1000, () => isolate.spend("a", 600));
    expect([minute, allowed(answers)]).toEqual([minute, 600]);
    world.milliseconds += 60_000;
  }
});

it("counts what several isolates allow together", async () => {
  const { anIsolate } = createWorld();
  const isolates = [anIsolate(), anIsolate(), anIsolate()];
  let turn = 0;
  const answers = await spend(2000, () => {
    const isolate = isolates[turn++ % 3] ?? isolates[0];
    return isolate?.spend("a", 600) ?? Promise.reject(new Error("There are three."));
  });
  expect(allowed(answers)).toBe(600);
});

it("asks for several requests at a time, and for nothing once the answer is no", async () => {
  const { world, anIsolate } = createWorld();
  const isolate = anIsolate();
  for (let at = 0; at < 600; at++) await isolate.spend("a", 600);
  expect(world.asked).toBe(60);
  for (let at = 0; at < 100; at++) await isolate.spend("a", 600);
  expect(world.asked).toBeLessThanOrEqual(61);
});

it("says what is left and when there is more", async () => {
  const { world, anIsolate } = createWorld();
  const isolate = anIsolate();
  const first = await isolate.spend("a", 3);
  const times = { resetSeconds: 20, retrySeconds: 1 };
  expect(first).toEqual({ isAllowed: true, limit: 3, remaining: 2, ...times });
  world.milliseconds += 500;
  await spend(2, () => isolate.spend("a", 3));
  const refused = await isolate.spend("a", 3);
  const empty = { resetSeconds: 60, retrySeconds: 20 };
  expect(refused).toEqual({ isAllowed: false, limit: 3, remaining: 0, ...empty });
  expect(isolate.refusal("a")).toEqual(refused);
  world.milliseconds += 20_000;
  expect(isolate.refusal("a")).toBeNull();
  expect((await isolate.spend("a", 3)).isAllowed).toBe(true);
  expect((await isolate.spend("a", 3)).isAllowed).toBe(false);
});

it("lets the one who waits as long as it is told go on, sixty times a minute", async () => {
  const { world, anIsolate } = createWorld();
  const isolate = anIsolate();
  await spend(60, () => isolate.spend("a", 60));
  for (let at = 0; at < 60; at++) {
    const refused = await isolate.spend("a", 60);
    expect([refused.isAllowed, refused.retrySeconds]).toEqual([false, 1]);
    world.milliseconds += 1000;
    expect((await isolate.spend("a", 60)).isAllowed).toBe(true);
  }
});

it("lets what an isolate did not use for ten seconds go", async () => {
  const { world, anIsolate } = createWorld();
  const isolate = anIsolate();
  await isolate.spend("a", 600);
  world.milliseconds += 10_000;
  await isolate.spend("a", 600);
  expect(world.asked).toBe(2);
});

it("leaves the others theirs", async () => {
  const { anIsolate } = createWorld();
  const isolate = anIsolate();
  await spend(100, () => isolate.spend("a", 10));
  expect(await isolate.spend("b", 10)).toMatchObject({ isAllowed: true, remaining: 9 });
});

it("goes by a changed limit at once, up and down", async () => {
  const { anIsolate } = createWorld();
  const isolate = anIsolate();
  expect(allowed(await spend(20, () => isolate.spend("a", 10)))).toBe(10);
  expect(allowed(await spend(20, () => isolate.spend("a", 15)))).toBe(5);
  expect(allowed(await spend(20, () => isolate.spend("a", 5)))).toBe(0);
});

it("allows everybody while nobody can be asked, and asks once a second", async () => {
  const { world, anIsolate } = createWorld();
  const isolate = anIsolate();
  world.isBroken = true;
  await isolate.spend("a", 600);
  expect(allowed(await spend(100, () => isolate.spend("a", 600)))).toBe(100);
  expect(world.failures).toBe(1);
  world.milliseconds += 1000;
  await isolate.spend("a", 600);
  expect(world.failures).toBe(2);
  [world.isBroken, world.milliseconds] = [false, world.milliseconds + 1000];
  expect(allowed(await spend(1000, () => isolate.spend("a", 600)))).toBe(600);
});
