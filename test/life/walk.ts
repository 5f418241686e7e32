// The world a random walk goes through: the API, runners that die, calls that fail, nudges that are
// lost or doubled, a clock that jumps. One seed makes one walk.
import { env } from "cloudflare:workers";
import type { Context } from "../../src/core/context.ts";
import { runLane } from "../../src/operation/run.ts";
import { isActive, operation } from "../../src/operation/table.ts";
import { registry } from "../../workers/registry.ts";
import { run } from "../../workers/run.ts";
import { createTestApi } from "../support/api.ts";
import { Crash } from "../support/crash.ts";
import { createChoice } from "../support/source.ts";

const roundsMax = 400;
const spares = { min: 1, max: 3 };

function isCrash(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof Crash) return true;
  }
  return false;
}

/** An installation to walk through. */
export async function createWalk(seed: number) {
  const api = await createTestApi({ databasesMax: 60 });
  await watchMoves();
  const choice = createChoice(seed);
  const { number, chance, side } = choice;

  /** Somebody's work, who may die of it; the rows say what is to be done then. */
  async function mortal(work: (context: Context) => Promise<unknown>): Promise<void> {
    const point = chance(12) ? { call: 1 + number(12), when: side() } : null;
    if (chance(12)) api.host.failAt(1 + number(4), side());
    await work({ ...api.createRunner(point).context, spares }).catch((error: unknown) => {
      if (!isCrash(error)) throw error;
    });
  }

  // A lost nudge is found by the sweep; a doubled one must do nothing.
  const drive = async (lane: string) => {
    if (chance(10)) return;
    await mortal((context) => run(context, lane));
    if (chance(5)) await mortal((context) => run(context, lane));
  };
  Object.assign(api.context, { drive, spares });

  const later = (seconds: number) => api.clock.advance(seconds);
  const active = () => api.context.db.select().from(operation).where(isActive);

  async function driveNudged(): Promise<void> {
    for (const lane of new Set(api.nudges.splice(0))) await drive(lane);
  }

  /** Lets everything come to its end, without a fault. */
  async function settle(): Promise<void> {
    api.host.heal();
    for (let round = 0; round < roundsMax; round++) {
      const left = await active();
      if (left.length === 0) return;
      const due = Math.min(...left.map(({ runAfter }) => runAfter.getTime()));
      later(Math.max(0, (due - api.clock.now().getTime()) / 1000));
      for (const lane of new Set(left.map((each) => each.lane))) {
        await runLane(api.context, registry, lane);
      }
    }
    throw new Error(`Operations do not end: ${JSON.stringify(await active())}`);
  }

  return { ...choice, api, mortal, later, active, driveNudged, settle };
}
export type Walk = Awaited<ReturnType<typeof createWalk>>;

/** One change of a database's state, as D1 saw it. */
export interface Move {
  readonly id: string;
  readonly before: string;
  readonly after: string;
}

// A trigger misses nothing: also a state that lasts for one batch is seen.
async function watchMoves(): Promise<void> {
  await forgetMoves();
  await env.DB.batch(
    [
      "create table walk_move (id text, before text, after text)",
      `create trigger walk_moved after update of state on database when old.state != new.state
       begin insert into walk_move values (new.id, old.state, new.state); end`,
    ].map((text) => env.DB.prepare(text)),
  );
}

/** The changes of state since the last look. */
export async function takeMoves(): Promise<readonly Move[]> {
  const [moves] = await env.DB.batch<Move>(
    ["select * from walk_move", "delete from walk_move"].map((text) => env.DB.prepare(text)),
  );
  return moves?.results ?? [];
}

/** Leaves the tables as other tests know them. */
export async function forgetMoves(): Promise<void> {
  await env.DB.batch(
    ["drop trigger if exists walk_moved", "drop table if exists walk_move"].map((text) =>
      env.DB.prepare(text),
    ),
  );
}
