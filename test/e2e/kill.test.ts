// kill -9 of any part while creates come in. Law: every effect has a row before it, so what was
// promised is there afterwards, and nothing else is.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { burst, type Created, send } from "../support/burst.ts";
import { call, createProject, listAll, query, until } from "../support/client.ts";
import { hostObjects, serverOf } from "../support/operator.ts";
import { kill } from "../support/process.ts";
import { type OwnSystem, type Program, startSystem } from "../support/system.ts";

const count = Number(process.env.MIOSA_KILL_CREATES ?? 20);
const disturbAt = Math.floor(count / 3);
let system: OwnSystem;

beforeAll(async () => {
  system = await startSystem();
});

afterAll(() => system?.remove());

/** Ends the Postgres of an instance when it has one. */
function killInstance(name: string): void {
  const server = serverOf(name);
  if (server !== undefined) kill(server.pid);
}

const isReady = async () => {
  const { root_url } = system.dev();
  return fetch(`${root_url}/readyz`).then(
    ({ status }) => status === 200,
    () => false,
  );
};

/** Every database of the API, once no operation is under way any more. */
async function settledDatabases() {
  await until("readiness", isReady, (ready) => ready, 60);
  return until(
    "the end of all operations",
    () => listAll(system, "/databases"),
    (databases) => databases.every(({ state }) => state === "running"),
    120,
  );
}

/** Rows and databases name the same things, and no more; spares are rows, too. */
async function expectNoOrphan(): Promise<void> {
  const databases = await settledDatabases();
  const projects = await listAll(system, "/projects");
  expect(projects.map(({ id }) => id).sort()).toEqual(
    databases.map(({ project_id }) => project_id).sort(),
  );
  const names = databases.map(({ database }) => database);
  const counts = async () => {
    const [host] = (await call(system, "GET", "/admin/hosts")).body.data;
    return { counted: host.databases_count, there: hostObjects(system) };
  };
  // Spares are made behind what is asked for.
  const { there } = await until(
    "As many databases as rows",
    counts,
    ({ counted, there: { databases: all, instances } }) =>
      all.length === counted && instances.length === counted,
    120,
  );
  expect(there.databases).toEqual(expect.arrayContaining(names));
  const operations = await until(
    "the end of every operation",
    () => listAll(system, "/operations"),
    (all) => all.every(({ status }) => ["succeeded", "failed", "canceled"].includes(status)),
    120,
  );
  // A spare that could not be made is undone, and another is made: nobody was promised it.
  const promised = operations.filter(({ kind }) => kind !== "spare.make");
  expect(promised.filter(({ status }) => status !== "succeeded")).toEqual([]);
}

async function expectWorking(created: readonly Created[], user: string): Promise<void> {
  expect(created).toHaveLength(count);
  for (const { answer } of created) expect([201, 202]).toContain(answer.status);
  const projects = await listAll(system, `/projects?external_user_id=${user}`);
  const keys = projects.map(({ external_project_id }) => external_project_id);
  expect(keys.sort()).toEqual(created.map(({ key }) => key).sort());
  const databases = await listAll(system, `/databases?external_user_id=${user}`);
  expect(databases).toHaveLength(count);
  for (const { id, database } of databases) {
    const { body } = await call(system, "GET", `/databases/${id}/credentials`);
    const rows = await query(body.data.database_url, "select current_database() as name");
    expect(rows).toEqual([{ name: database }]);
  }
}

const programs: Program[] = ["workerd", "host", "pgbouncer_transaction", "pgbouncer_session"];

describe(`kill -9 during a burst of ${count} creates`, () => {
  test.each(programs)(
    "of %s leaves as many working databases and no orphan",
    async (program) => {
      const created = await burst(system, {
        count,
        concurrency: 8,
        externalUserId: program,
        disturbAt,
        disturb: () => kill(system.pid(program)),
      });
      await expectNoOrphan();
      await expectWorking(created, program);
    },
    300_000,
  );
});

test("kill -9 of a Postgres that is being made leaves as many working databases", async () => {
  const path = `/admin/hosts/${system.dev().host_id}/spares`;
  const spares = async () => (await call(system, "GET", path)).body.total;
  const created = await burst(system, {
    count,
    concurrency: 8,
    externalUserId: "postgres",
    disturbAt,
    disturb: () => {
      for (const name of hostObjects(system).instances) killInstance(name);
    },
  });
  await until("spares", spares, (number) => number > 0, 120);
  await expectNoOrphan();
  await expectWorking(created, "postgres");
}, 300_000);

test("kill -9 of everything loses nothing, and the next start goes on", async () => {
  const { database } = await createProject(system);
  await query(database.database_url, "create table kept as select 42 as n");
  let restarted: Promise<void> | undefined;
  const created = await burst(system, {
    count: 10,
    concurrency: 8,
    externalUserId: "everything",
    disturbAt: 3,
    disturb: () => {
      restarted = system.crash().then(() => system.start());
    },
  });
  await restarted;
  for (const { answer } of created) expect([201, 202]).toContain(answer.status);
  expect(await query(database.database_url, "select n from kept")).toEqual([{ n: 42 }]);
  for (const { key, answer } of created) {
    const again = await send(system, key, "everything");
    expect(again.text).toBe(answer.text);
  }
  await expectNoOrphan();
}, 300_000);
