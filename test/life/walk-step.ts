// What may happen in one step of a random walk. Most are cheap, so that many orders are met.
import { and, eq, isNotNull, isNull, ne } from "drizzle-orm";
import { expect } from "vitest";
import { expireBranches } from "../../src/branch/expire.ts";
import { followPlans } from "../../src/database/limit.ts";
import { measureStorage } from "../../src/database/measure.ts";
import { purgeDeleted } from "../../src/database/purge.ts";
import { reconcile } from "../../src/database/reconcile.ts";
import { sizeLimits } from "../../src/database/size.ts";
import { tendSpares } from "../../src/database/spare-tend.ts";
import { pullAllTransitions } from "../../src/database/suspend.ts";
import { database } from "../../src/database/table.ts";
import { compareDumps, expireDumps } from "../../src/dump/expire.ts";
import { dumpName } from "../../src/dump/name.ts";
import { dump } from "../../src/dump/table.ts";
import { watchDeadlines } from "../../src/operation/overdue.ts";
import { sweep } from "../../src/operation/sweep.ts";
import { purgeProjects } from "../../src/project/purge.ts";
import { project } from "../../src/project/table.ts";
import { endPreviews, forgetFormers } from "../../src/restore/expire.ts";
import { restore } from "../../src/restore/table.ts";
import { registry } from "../../workers/registry.ts";
import type { Walk } from "./walk.ts";

const projectsMax = 3;
const minute = 60;
const day = 86_400;
const answers = new Set([200, 201, 202, 204, 404, 409, 422, 503]);

async function call({ api }: Walk, method: string, path: string, body?: unknown): Promise<void> {
  const answer = await api.call(method, `/api/v1${path}`, body === undefined ? {} : { body });
  expect(answers, `${method} ${path}: ${JSON.stringify(answer.body)}`).toContain(answer.status);
}

/** A database somebody would still touch: mostly one that lives. */
async function someone({ api, chance, pick }: Walk) {
  const { id, databaseName, state } = database;
  const rows = await api.context.db
    .select({ id, databaseName, state })
    .from(database)
    .where(ne(state, "purged"));
  const live = rows.filter((row) => row.state !== "deleted" && row.state !== "failed");
  return pick(live.length > 0 && chance(75) ? live : rows);
}

/** Mostly an hour or two, at times none or a week. */
function someGrace({ number, pick }: Walk): number {
  return pick([0, minute * (1 + number(120)), minute * (1 + number(120)), 7 * day]) ?? 0;
}

async function onDatabase(walk: Walk): Promise<void> {
  const { number, pick } = walk;
  const row = await someone(walk);
  if (row === undefined) return onProject(walk);
  const path = `/databases/${row.id}`;
  const verbs: (() => Promise<void>)[] = [
    () => call(walk, "POST", `${path}/stop`),
    () => call(walk, "POST", `${path}/start`),
    () => call(walk, "POST", `${path}/restart`),
    () => call(walk, "POST", `${path}/credentials/rotate`, { overlap_seconds: number(2) * 60 }),
    () => call(walk, "PATCH", path, { size: pick(["small", "medium", "large"]) }),
    () => call(walk, "PATCH", path, { suspend_after_seconds: 5 * number(3) }),
    () => call(walk, "PATCH", path, { suspend_after_seconds: 5 }),
    () => call(walk, "DELETE", `${path}?grace_seconds=${someGrace(walk)}`),
    () => call(walk, "POST", `${path}/undelete`),
    () => call(walk, "GET", path),
  ];
  await pick(verbs)?.();
}

async function onRestore(walk: Walk): Promise<void> {
  const { api, chance, pick } = walk;
  const row = await someone(walk);
  if (row === undefined) return;
  const one = pick(
    await api.context.db
      .select({ id: restore.id })
      .from(restore)
      .where(isNotNull(restore.asideUntil)),
  );
  if (one !== undefined && chance(50)) return call(walk, "POST", `/restores/${one.id}/undo`);
  const mode = pick(["new", "in_place", "preview", "tables"]);
  const target_time = new Date(api.clock.now().getTime() - 1000).toISOString();
  const tables = mode === "tables" ? { tables: [pick(["orders", "items"])] } : {};
  await call(walk, "POST", `/databases/${row.id}/restores`, { mode, target_time, ...tables });
}

async function onBranch(walk: Walk): Promise<void> {
  const { api, chance, number, pick } = walk;
  const row = await someone(walk);
  if (row === undefined) return;
  const { id, branchOf } = database;
  const branches = api.context.db.select({ id }).from(database).where(isNotNull(branchOf));
  const one = pick(await branches);
  if (one !== undefined && chance(30)) {
    return call(walk, "POST", `/databases/${one.id}/promote-branch`);
  }
  const moment = new Date(api.clock.now().getTime() - 1000).toISOString();
  const at = chance(30) ? { at: moment } : {};
  const body = { expires_in: minute * (1 + number(120)), ...at };
  await call(walk, "POST", `/databases/${row.id}/branches`, body);
}

async function onPreview(walk: Walk): Promise<void> {
  const standing = walk.api.context.db
    .select({ id: restore.id })
    .from(restore)
    .where(and(eq(restore.mode, "preview"), isNull(restore.endedAt)));
  const one = walk.pick(await standing);
  if (one === undefined) return onRestore(walk);
  const mode = walk.pick(["new", "in_place"]);
  if (walk.chance(50)) return call(walk, "POST", `/restores/${one.id}/promote`, { mode });
  await call(walk, "DELETE", `/restores/${one.id}`);
}

async function onBackup(walk: Walk): Promise<void> {
  const { api, chance, pick } = walk;
  const row = await someone(walk);
  if (row === undefined) return;
  const path = `/databases/${row.id}/backups`;
  const one = pick(await api.context.db.select().from(dump).where(eq(dump.databaseId, row.id)));
  if (one === undefined || chance(40)) return call(walk, "POST", path, {});
  const backup_id = dumpName(one.id);
  if (chance(40)) return call(walk, "DELETE", `${path}/${backup_id}`);
  const mode = pick(["new", "in_place"]);
  await call(walk, "POST", `/databases/${row.id}/restores`, { mode, backup_id });
}

async function onProject(walk: Walk): Promise<void> {
  const { api, number, pick, chance } = walk;
  const alive = api.context.db.select({ id: project.id }).from(project);
  const projects = await alive.where(ne(project.state, "purged"));
  const one = pick(projects);
  if (one === undefined || (projects.length < projectsMax && chance(50))) {
    return call(walk, "POST", "/projects", { name: "P", data: { postgres: true } });
  }
  const path = `/projects/${one.id}`;
  const verbs: (() => Promise<void>)[] = [
    () => call(walk, "POST", `${path}/data-services`, { type: "postgres", name: `n${number(3)}` }),
    () => call(walk, "DELETE", `${path}?grace_seconds=${someGrace(walk)}`),
    () => call(walk, "POST", `${path}/undelete`),
  ];
  await pick(verbs)?.();
}

async function onOperation(walk: Walk): Promise<void> {
  const one = walk.pick(await walk.active());
  if (one !== undefined) await call(walk, "POST", `/operations/${one.id}/cancel`);
}

/** The host suspends an idle database, or a client wakes one. */
async function onHost(walk: Walk): Promise<void> {
  const { host, clock } = walk.api;
  const row = await someone(walk);
  if (row === undefined || !host.databases.has(row.databaseName)) return;
  const { state, spec } = host.databases.get(row.databaseName) ?? {};
  const suspends = (spec?.suspend_after_seconds ?? 0) > 0;
  if (state === "asleep") host.move(row.databaseName, "woken", clock.now());
  else if (state === "running" && suspends) {
    host.move(row.databaseName, "suspended", clock.now());
  }
}

/** Tenants write or delete until their databases are measured to be near a size's ceiling. */
async function onStorage(walk: Walk): Promise<void> {
  const share = walk.pick([0.001, 0.5, 0.85, 1.1]) ?? 0;
  walk.api.host.store(share * sizeLimits.small.storageBytesMax);
  await walk.mortal(measureStorage);
}

const ways: readonly (readonly [weight: number, way: (walk: Walk) => unknown])[] = [
  [18, onDatabase],
  [4, onProject],
  [3, onRestore],
  [2, onPreview],
  [2, onBranch],
  [2, onBackup],
  [3, onOperation],
  [10, onHost],
  [2, onStorage],
  [18, ({ later, number }) => later(1 + number(30))],
  [6, ({ later, number }) => later(minute * (1 + number(180)))],
  [1, ({ later, number }) => later(day * (1 + number(8)))],
  [10, ({ mortal, driveNudged }) => mortal(sweep).then(driveNudged)],
  [6, ({ driveNudged }) => driveNudged()],
  [5, ({ mortal }) => mortal(pullAllTransitions)],
  [2, ({ mortal }) => mortal(purgeDeleted)],
  [2, ({ mortal }) => mortal(purgeProjects)],
  [1, ({ mortal }) => mortal(forgetFormers)],
  [1, ({ mortal }) => mortal(endPreviews)],
  [1, ({ mortal }) => mortal(expireBranches)],
  [1, ({ mortal }) => mortal(expireDumps)],
  [1, ({ mortal }) => mortal(compareDumps)],
  [1, ({ mortal }) => mortal((context) => watchDeadlines(context, registry))],
  [1, ({ mortal }) => mortal(followPlans)],
  [1, ({ mortal }) => mortal(reconcile)],
  [3, ({ mortal }) => mortal(tendSpares)],
];
const weights = ways.reduce((sum, [weight]) => sum + weight, 0);

/** Takes one step. */
export async function takeStep(walk: Walk): Promise<void> {
  let left = walk.number(weights);
  for (const [weight, way] of ways) {
    left -= weight;
    if (left < 0) return void (await way(walk));
  }
}
