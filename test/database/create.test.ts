import { beforeEach, describe, expect, test } from "vitest";
import { commit, violatedConstraint } from "../../src/core/batch.ts";
import { attributionOf } from "../../src/core/column.ts";
import { newDatabase } from "../../src/database/create.ts";
import { database } from "../../src/database/table.ts";
import { listEnvironments } from "../../src/environment/find.ts";
import { host } from "../../src/host/table.ts";
import { operation } from "../../src/operation/table.ts";
import { findProject } from "../../src/project/find.ts";
import { createTestContext, type TestContext } from "../support/context.ts";
import { aProject } from "../support/seed.ts";

let house: TestContext;

beforeEach(async () => {
  house = await createTestContext();
});

/** A new database of a project's production, not yet committed. */
async function aDatabase(changes: { name?: string; isPrimary?: boolean } = {}) {
  project ??= await aProject(house, null);
  const { row } = await findProject(house.context, project.request.actor, project.projectId);
  const [environment] = await listEnvironments(house.context, project.projectId);
  if (environment === undefined) throw new Error("The project has no environment.");
  return newDatabase(house.context, {
    organizationId: row.organizationId,
    workspaceId: row.workspaceId,
    projectId: project.projectId,
    environment,
    name: changes.name ?? null,
    isPrimary: changes.isPrimary ?? true,
    size: "small",
    attribution: attributionOf(row),
    requestId: null,
  });
}
let project: Awaited<ReturnType<typeof aProject>> | undefined;

beforeEach(() => {
  project = undefined;
});

const begin = async (changes?: { name?: string; isPrimary?: boolean }) =>
  commit(house.context, (await aDatabase(changes)).statements);

describe("a new database", () => {
  test("is a row, a place and an operation, or nothing", async () => {
    const { id, statements } = await aDatabase();
    expect(await house.context.db.select().from(database)).toEqual([]);
    await commit(house.context, statements);
    const [made] = await house.context.db.select().from(database);
    expect(made).toMatchObject({ id, state: "provisioning", isPrimary: true });
    const [begun] = await house.context.db.select().from(operation);
    expect(begun).toMatchObject({ resourceId: id, status: "pending" });
    const [place] = await house.context.db.select().from(host);
    expect(place?.databasesCount).toBe(1);
  });

  test("touches no host before its row stands", async () => {
    await begin();
    // The host proved itself when it was registered.
    expect(house.host.calls.map(({ name }) => name)).toEqual(["prove"]);
  });

  test("has names that say nothing of the customer, and no two alike", async () => {
    for (let at = 0; at < 50; at++) await begin({ name: `smile${at}`, isPrimary: false });
    const many = await house.context.db.select().from(database);
    const names = many.flatMap(({ databaseName, loginRole }) => [databaseName, loginRole]);
    expect(new Set(names).size).toBe(100);
    for (const name of names) expect(name).toMatch(/^(proj|usr)_[a-z][a-z2-7]{19}$/);
  });

  test("is the environment's one primary", async () => {
    await begin();
    const second = await begin().catch(violatedConstraint);
    expect(second).toMatch(/^database\.environment_id/);
    expect(await house.context.db.select().from(operation)).toHaveLength(1);
  });

  test("shares its name with no other of the environment", async () => {
    await begin({ name: "analytics", isPrimary: false });
    const second = await begin({ name: "analytics", isPrimary: false }).catch(violatedConstraint);
    expect(second).toBe("database.environment_id, database.name");
    await begin({ name: "search", isPrimary: false });
  });
});
