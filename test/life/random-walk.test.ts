// A long walk over everything that may happen to databases, in an order nobody thought of.
// MIOSA_WALK_SEED goes another way, MIOSA_WALK_STEPS walks longer.
import { env } from "cloudflare:workers";
import { afterEach, expect, it } from "vitest";
import { registry } from "../../workers/registry.ts";
import { createWalk, forgetMoves } from "./walk.ts";
import { lookAtAll, lookAtMoves, whatHappened } from "./walk-look.ts";
import { takeStep } from "./walk-step.ts";

const stepsBetweenMoves = 25;
const stepsBetweenLooks = 500;
// Begun by the clock, or by an operator; a walk has neither.
const unmet = ["database.base_backup", "host.verify_backup"];

afterEach(forgetMoves);

async function walkFrom(seed: number, steps: number) {
  const walk = await createWalk(seed);
  for (let at = 1; at <= steps; at++) {
    try {
      await takeStep(walk);
      if (at % stepsBetweenMoves === 0) await lookAtMoves(walk);
      if (at % stepsBetweenLooks === 0 || at === steps) await lookAtAll(walk);
    } catch (error) {
      const message = `Step ${at} of the walk with MIOSA_WALK_SEED=${seed}: ${error}`;
      throw new Error(message, { cause: error });
    }
  }
  return whatHappened(walk);
}

const steps = Number(env.MIOSA_WALK_STEPS || 10_000);
const seed = Number(env.MIOSA_WALK_SEED || 20_261_123);

it(`${steps} steps (seed ${seed}) keep every invariant and meet every operation`, async () => {
  const { succeeded, canceled, failed } = await walkFrom(seed, steps);
  const kinds = [...registry.keys()].filter((kind) => !unmet.includes(kind));
  expect(succeeded.sort()).toEqual(kinds.sort());
  expect(canceled.length).toBeGreaterThan(3);
  expect(failed.length).toBeGreaterThan(3);
}, 480_000);
