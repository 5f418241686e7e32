// A long walk over everything that may happen to databases, in an order nobody thought of: verbs,
// runners that die, calls that fail, nudges that are lost or doubled, a clock that jumps.
// MIOSA_WALK_SEED repeats a walk, MIOSA_WALK_STEPS makes it longer.
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { organization } from "../../src/account/table.ts";
import { cluster } from "../../src/cluster/table.ts";
import { measureStorage } from "../../src/database/measure.ts";
import { purgeDeleted } from "../../src/database/purge.ts";
import { reconcile } from "../../src/database/reconcile.ts";
import { isSame, settingsOf } from "../../src/database/setting.ts";
import type { StoredState } from "../../src/database/status.ts";
import { pullAllTransitions } from "../../src/database/suspend.ts";
import { type DatabaseRow, database } from "../../src/database/table.ts";
import { runLane } from "../../src/operation/run.ts";
import { sweep } from "../../src/operation/sweep.ts";
import { isActive, operation } from "../../src/operation/table.ts";
import { project } from "../../src/project/table.ts";
import { registry } from "../../workers/registry.ts";
import { createTestApi } from "../support/api.ts";
import { Crash } from "../support/crash.ts";
import { createRandom } from "../support/source.ts";

const steps = Number(variable("MIOSA_WALK_STEPS") ?? 10_000);
const seed = Number(variable("MIOSA_WALK_SEED") ?? 20_261_123);
const stepsBetweenLooks = 500;
const projectsMax = 4;

function variable(name: string): string | undefined {
  const value = (env as unknown as Record<string, unknown>)[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** Which states may follow at once; what takes several steps goes through those between. */
const following: Record<StoredState, readonly StoredState[]> = {
  provisioning: ["running", "failed"],
  running: ["stopping", "starting", "restarting", "suspended", "deleting"],
  stopping: ["stopped", "running"],
  stopped: ["starting", "deleting"],
  starting: ["running", "stopped", "suspended", "deleted"],
  restarting: ["running"],
  suspended: ["running", "stopping", "starting", "restarting", "deleting"],
  deleting: ["deleted", "purged", "running", "stopped"],
  deleted: ["starting", "stopped", "deleting"],
  failed: ["deleting", "purged"],
  purged: [],
};

function isReachable(from: StoredState, to: StoredState): boolean {
  const seen = new Set<StoredState>([from]);
  for (const state of seen) for (const each of following[state]) seen.add(each);
  return seen.has(to);
}

async function createWalk() {
  const api = await createTestApi({ databasesMax: 60 });
  const bytes = createRandom(seed);
  const number = (below: number) => {
    const [high = 0, low = 0] = bytes(2);
    return (high * 256 + low) % below;
  };
  const chance = (percent: number) => number(100) < percent;
  const pick = <Item>(items: readonly Item[]) => items[number(items.length)];
  const states = new Map<string, StoredState>();

  /** One runner of a lane, which may die of anything; the rows say what is to be done then. */
  async function run(lane: string): Promise<void> {
    const point = chance(12)
      ? { call: 1 + number(12), when: chance(50) ? ("before" as const) : ("after" as const) }
      : null;
    if (chance(12)) api.cluster.failAt(1 + number(4), chance(50) ? "before" : "after");
    const { context } = api.createRunner(point);
    await runLane(context, registry, lane).catch((error: unknown) => {
      if (!isCrash(error)) throw error;
    });
  }

  // A lost one is found by the sweep; a doubled one must do nothing.
  const drive = async (lane: string) => {
    if (chance(10)) return;
    await run(lane);
    if (chance(5)) await run(lane);
  };
  Object.assign(api.context, { drive });

  const later = (seconds: number) =>
    api.clock.advanceTo(new Date(api.clock.now().getTime() + seconds * 1000));
  const rows = () => api.context.db.select().from(database);

  async function driveNudged(): Promise<void> {
    for (const lane of new Set(api.nudges.splice(0))) await drive(lane);
  }

  async function sweepAll(): Promise<void> {
    await sweep(api.context);
    await driveNudged();
  }

  /** A database somebody would still touch. */
  async function someone(): Promise<DatabaseRow | undefined> {
    const alive = (await rows()).filter(({ state }) => state !== "purged");
    return pick(alive);
  }

  return { api, number, chance, pick, states, later, rows, sweepAll, driveNudged, someone };
}
type Walk = Awaited<ReturnType<typeof createWalk>>;

function isCrash(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof Crash) return true;
  }
  return false;
}

const answers = new Set([200, 201, 202, 204, 404, 409, 422, 503]);

async function call({ api }: Walk, method: string, path: string, body?: unknown): Promise<void> {
  const answer = await api.call(method, `/api/v1${path}`, body === undefined ? {} : { body });
  expect(answers, `${method} ${path}: ${JSON.stringify(answer.body)}`).toContain(answer.status);
}

async function onDatabase(walk: Walk): Promise<void> {
  const { number, pick } = walk;
  const row = await walk.someone();
  if (row === undefined) return onProject(walk);
  const path = `/databases/${row.id}`;
  const grace = number(3) === 0 ? 0 : 60 * (1 + number(120));
  const verbs: (() => Promise<void>)[] = [
    () => call(walk, "POST", `${path}/stop`),
    () => call(walk, "POST", `${path}/start`),
    () => call(walk, "POST", `${path}/restart`),
    () => call(walk, "POST", `${path}/credentials/rotate`, { overlap_seconds: number(2) * 60 }),
    () => call(walk, "PATCH", path, { size: pick(["small", "medium", "large"]) }),
    () => call(walk, "PATCH", path, { suspend_after_seconds: 5 * number(3) }),
    () => call(walk, "DELETE", `${path}?grace_seconds=${grace}`),
    () => call(walk, "POST", `${path}/undelete`),
    () => call(walk, "GET", path),
  ];
  await pick(verbs)?.();
}

async function onProject(walk: Walk): Promise<void> {
  const { api, number, pick } = walk;
  const projects = await api.context.db.select().from(project);
  const alive = projects.filter(({ state }) => state !== "purged");
  const one = pick(alive);
  if (one === undefined || (alive.length < projectsMax && walk.chance(50))) {
    return call(walk, "POST", "/projects", { name: "P", data: { postgres: true } });
  }
  const path = `/projects/${one.id}`;
  const verbs: (() => Promise<void>)[] = [
    () => call(walk, "POST", `${path}/data-services`, { type: "postgres", name: `n${number(3)}` }),
    () => call(walk, "DELETE", `${path}?grace_seconds=${60 * number(120)}`),
    () => call(walk, "POST", `${path}/undelete`),
  ];
  await pick(verbs)?.();
}

async function onOperation(walk: Walk): Promise<void> {
  const [active] = await walk.api.context.db.select().from(operation).where(isActive);
  if (active !== undefined) await call(walk, "POST", `/operations/${active.id}/cancel`);
}

/** The host suspends an idle database, or a client wakes one. */
async function onHost(walk: Walk): Promise<void> {
  const { api } = walk;
  const row = await walk.someone();
  if (row === undefined || !api.cluster.databases.has(row.databaseName)) return;
  const held = api.cluster.held.get(row.databaseName);
  const suspends = (api.cluster.settings.get(row.databaseName)?.suspend_after_seconds ?? 0) > 0;
  const to = held === "suspended" ? "woken" : "suspended";
  const may = held === "suspended" || (held === undefined && suspends);
  if (may) api.cluster.move(row.databaseName, to, api.clock.now());
}

/** One step; most are cheap, so that many orders are met in little time. */
async function step(walk: Walk): Promise<void> {
  const { api, later, number } = walk;
  const ways: readonly (readonly [weight: number, way: () => Promise<unknown>])[] = [
    [22, () => onDatabase(walk)],
    [5, () => onProject(walk)],
    [3, () => onOperation(walk)],
    [14, () => onHost(walk)],
    [10, () => pullAllTransitions(api.context)],
    [14, async () => later(1 + number(30))],
    [4, async () => later(60 * (1 + number(180)))],
    [16, () => walk.sweepAll()],
    [6, () => walk.driveNudged()],
    [3, () => purgeDeleted(api.context)],
    [2, () => measureStorage(api.context)],
    [1, () => reconcile(api.context)],
  ];
  let left = number(ways.reduce((sum, [weight]) => sum + weight, 0));
  for (const [weight, way] of ways) {
    left -= weight;
    if (left < 0) return void (await way());
  }
}

/** What holds at any moment. */
async function lookAtStates(walk: Walk): Promise<void> {
  for (const { id, state } of await walk.rows()) {
    const before = walk.states.get(id) ?? "provisioning";
    expect(isReachable(before, state), `${id}: ${before} → ${state}`).toBe(true);
    walk.states.set(id, state);
  }
}

/** Lets everything come to its end, without a fault. */
async function settle({ api, later }: Walk): Promise<void> {
  for (let round = 0; round < 400; round++) {
    const active = await api.context.db.select().from(operation).where(isActive);
    if (active.length === 0) return;
    const due = Math.min(...active.map(({ runAfter }) => runAfter.getTime()));
    later(Math.max(0, (due - api.clock.now().getTime()) / 1000));
    for (const lane of new Set(active.map((each) => each.lane))) {
      await runLane(api.context, registry, lane);
    }
  }
  const stuck = await api.context.db.select().from(operation).where(isActive);
  expect(stuck).toEqual([]);
}

/** What holds once all is quiet. */
async function lookAtAll(walk: Walk): Promise<void> {
  const { api } = walk;
  await settle(walk);
  await pullAllTransitions(api.context);
  // What a host did while a verb was under way, the reconciler follows once rows have settled.
  walk.later(61);
  await reconcile(api.context);
  await settle(walk);
  const rows = await walk.rows();
  const placed = rows.filter(({ state }) => state !== "purged" && state !== "failed");
  expect([...api.cluster.databases.keys()].sort()).toEqual(
    placed.map(({ databaseName }) => databaseName).sort(),
  );
  const roles = placed.flatMap(({ ownerRole, loginRole }) => [ownerRole, loginRole]);
  expect([...api.cluster.roles.keys()].sort()).toEqual(roles.sort());
  for (const row of placed) {
    const held = api.cluster.held.get(row.databaseName) ?? "running";
    expect(held, `${row.id} is ${row.state}`).toBe(row.state === "deleted" ? "stopped" : row.state);
    const given = api.cluster.settings.get(row.databaseName);
    if (given !== undefined) expect(isSame(given, settingsOf(row)), row.id).toBe(true);
  }
  const [place] = await api.context.db.select().from(cluster);
  expect(place?.databasesCount).toBe(placed.length);
  const projects = await api.context.db.select().from(project);
  const [owner] = await api.context.db.select().from(organization);
  const counted = projects.filter(({ state }) => state === "active" || state === "deleting");
  expect(owner?.projectsCount).toBe(counted.length);
}

it(`a walk of ${steps} steps (seed ${seed}) keeps every invariant`, async () => {
  const walk = await createWalk();
  for (let at = 1; at <= steps; at++) {
    try {
      await step(walk);
      if (at % 10 === 0) await lookAtStates(walk);
      if (at % stepsBetweenLooks === 0) await lookAtAll(walk);
    } catch (error) {
      const message = `Step ${at} of the walk with MIOSA_WALK_SEED=${seed}: ${error}`;
      throw new Error(message, { cause: error });
    }
  }
  await lookAtAll(walk);
}, 480_000);
