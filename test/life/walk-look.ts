// What holds at any moment of a random walk, and what holds once all is quiet.
import { and, eq, isNotNull, isNull, lte, ne } from "drizzle-orm";
import { expect } from "vitest";
import { organization } from "../../src/account/table.ts";
import { alert, isOpen } from "../../src/alert/table.ts";
import { expireBranches } from "../../src/branch/expire.ts";
import { purgeDeleted } from "../../src/database/purge.ts";
import { reconcile } from "../../src/database/reconcile.ts";
import { backendsOf, limitsOf } from "../../src/database/size.ts";
import { specOf } from "../../src/database/spec.ts";
import { type StoredState, storedStates, verbTable } from "../../src/database/status.ts";
import { pullAllTransitions } from "../../src/database/suspend.ts";
import { type DatabaseRow, database, spare } from "../../src/database/table.ts";
import { compareDumps } from "../../src/dump/expire.ts";
import { dump } from "../../src/dump/table.ts";
import { host } from "../../src/host/table.ts";
import { watchDeadlines } from "../../src/operation/overdue.ts";
import { operation } from "../../src/operation/table.ts";
import { purgeProjects } from "../../src/project/purge.ts";
import { project } from "../../src/project/table.ts";
import { endPreviews } from "../../src/restore/expire.ts";
import { restore } from "../../src/restore/table.ts";
import { registry } from "../../workers/registry.ts";
import { takeMoves, type Walk } from "./walk.ts";

// The state a verb leads through; where it may begin the verb table says.
const passing = {
  stop: "stopping",
  start: "starting",
  restart: "restarting",
  delete: "deleting",
  undelete: "starting",
} as const;

// Where what is under way may end, done or taken back, and what hosts do by themselves.
const ends: Partial<Record<StoredState, readonly StoredState[]>> = {
  provisioning: ["running", "failed"],
  stopping: ["stopped", "running"],
  starting: ["running", "stopped", "deleted"],
  restarting: ["running"],
  deleting: ["deleted", "purged", "running", "stopped"],
  running: ["suspended"],
  suspended: ["running"],
};

function legalMoves(): ReadonlySet<string> {
  const verbs = Object.entries(passing) as [keyof typeof passing, StoredState][];
  return new Set(
    storedStates.flatMap((before) => [
      ...(ends[before] ?? []).map((after) => `${before} → ${after}`),
      ...verbs
        .filter(([verb]) => verbTable[verb][before] === "begin")
        .map(([, after]) => `${before} → ${after}`),
    ]),
  );
}

const legal = legalMoves();

/** Each change of state was one the verb table allows; no database has two operations. */
export async function lookAtMoves(walk: Walk): Promise<void> {
  for (const { id, before, after } of await takeMoves()) {
    expect(legal, `database ${id}`).toContain(`${before} → ${after}`);
  }
  const busy = (await walk.active()).map(({ resourceId }) => resourceId);
  expect(busy).toEqual([...new Set(busy)]);
}

/** Everything has come to its end, and the host is what the rows say. */
export async function lookAtAll(walk: Walk): Promise<void> {
  const { context } = walk.api;
  await walk.settle();
  await pullAllTransitions(context);
  // What a host did while a verb was under way, the reconciler follows once rows have settled.
  walk.later(61);
  await reconcile(context);
  await purgeDeleted(context);
  await purgeProjects(context);
  await endPreviews(context);
  await expireBranches(context);
  await walk.settle();
  // Who died between an archive's end and its row's left a row that the cron comes back to.
  await compareDumps(context);
  await lookAtMoves(walk);
  const placed = (
    await context.db.select().from(database).where(ne(database.state, "purged"))
  ).filter(({ state }) => state !== "failed");
  await expectThings(walk, placed);
  for (const row of placed) await expectState(walk, row);
  await expectCounts(walk, placed);
  await expectNothingOverdue(walk);
}

async function expectThings({ api }: Walk, placed: readonly DatabaseRow[]): Promise<void> {
  const restored = api.context.db.select().from(restore).where(isNotNull(restore.asideUntil));
  // What was put aside goes with its database.
  const isPlaced = new Set(placed.map(({ id }) => id));
  const formers = (await restored)
    .filter(({ databaseId }) => isPlaced.has(databaseId))
    .map(({ asideInstance }) => asideInstance ?? "");
  expect([...api.host.aside.keys()].sort()).toEqual(formers.sort());
  const previews = await standingPreviews(api);
  const spares = await api.context.db.select().from(spare);
  expect(spares.map(({ state }) => state)).toEqual(spares.map(() => "ready"));
  const names = [...placed, ...spares].map(({ databaseName }) => databaseName);
  expect([...api.host.databases.keys()].sort()).toEqual(names.sort());
  const recoveries = previews.map(({ id }) => id);
  expect([...api.host.recoveries.keys()].sort()).toEqual(recoveries.sort());
  const kept = api.context.db.select({ id: dump.id }).from(dump).where(eq(dump.state, "succeeded"));
  const archives = [...api.host.dumps.keys()];
  expect(archives).toEqual(expect.arrayContaining((await kept).map(({ id }) => id)));
}

function standingPreviews({ context }: Walk["api"]) {
  const open = and(eq(restore.mode, "preview"), eq(restore.state, "succeeded"));
  return context.db
    .select()
    .from(restore)
    .where(and(open, isNull(restore.endedAt)));
}

const asHostsSay: Partial<Record<StoredState, string>> = {
  deleted: "stopped",
  suspended: "asleep",
};

async function expectState({ api }: Walk, row: DatabaseRow): Promise<void> {
  const { state, spec } = api.host.databases.get(row.databaseName) ?? {};
  expect(state, `${row.id} is ${row.state}`).toBe(asHostsSay[row.state] ?? row.state);
  expect(spec, row.id).toEqual(await specOf(api.context, row));
}

async function expectCounts({ api }: Walk, placed: readonly DatabaseRow[]): Promise<void> {
  const { db } = api.context;
  const [place] = await db.select().from(host);
  const spares = await db.select().from(spare);
  expect(place?.databasesCount).toBe(placed.length + spares.length);
  const ofRows = placed.map((row) => backendsOf(limitsOf(row)));
  const backends = [...ofRows, ...spares.map((each) => each.backends)];
  expect(place?.backendsCount).toBe(backends.reduce((sum, one) => sum + one, 0));
  const projects = await db.select().from(project).where(ne(project.state, "purged"));
  expect(projects.filter(({ state }) => state === "deleting")).toEqual([]);
  const [owner] = await db.select().from(organization);
  const counted = projects.filter(({ state }) => state === "active");
  expect(owner?.projectsCount).toBe(counted.length);
}

async function expectNothingOverdue({ api: { context } }: Walk): Promise<void> {
  for (const table of [database, project]) {
    const isDue = lte(table.purgeAt, new Date(context.now().getTime() - 3600_000));
    const kept = context.db
      .select()
      .from(table)
      .where(and(ne(table.state, "purged"), isDue));
    expect(await kept).toEqual([]);
  }
  await watchDeadlines(context, registry);
  expect(await context.db.select().from(alert).where(isOpen)).toEqual([]);
}

/** Every kind of operation that came to its end well, and how many of them did not. */
export async function whatHappened({ api }: Walk) {
  const { kind, status } = operation;
  const done = await api.context.db.selectDistinct({ kind, status }).from(operation);
  const of = (end: string) => done.filter((each) => each.status === end).map((each) => each.kind);
  return { succeeded: of("succeeded"), failed: of("failed"), canceled: of("canceled") };
}
