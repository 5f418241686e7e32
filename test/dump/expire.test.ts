import { beforeEach, describe, expect, test } from "vitest";
import { compareDumps, expireDumps } from "../../src/dump/expire.ts";
import { dump } from "../../src/dump/table.ts";
import { createTestApi, type TestApi } from "../support/api.ts";
import { aDump } from "../support/fake-recovery.ts";
import { purge } from "../support/purge.ts";
import { hostId } from "../support/seed.ts";

const day = 86_400_000;

let api: TestApi;
let path: string;

beforeEach(async () => {
  api = await createTestApi();
  const body = { name: "Smile Dental", data: { postgres: true } };
  const { data } = (await api.call("POST", "/api/v1/projects", { body })).body;
  path = `/api/v1/databases/${data.databases[0].id}`;
  await api.call("POST", `${path}/backups`, { body: { retention_days: 10 } });
});

const later = (milliseconds: number) =>
  api.clock.advanceTo(new Date(api.clock.now().getTime() + milliseconds));
const kept = () => api.host.things.dumps;
const rows = () => api.context.db.select().from(dump);

describe("what is kept", () => {
  test("goes when its time is over, not before", async () => {
    later(10 * day - 1000);
    await expireDumps(api.context);
    expect(kept().size).toBe(1);
    later(2000);
    await expireDumps(api.context);
    expect(kept().size).toBe(0);
    expect(await rows()).toEqual([]);
  });

  test("outlives its database, and is still to be had", async () => {
    const { data } = (await api.call("GET", `${path}/backups`)).body;
    await api.call("DELETE", path);
    later(2 * day);
    await purge(api);
    expect((await api.call("GET", path)).status).toBe(404);
    await expireDumps(api.context);
    const one = `${path}/backups/${data[0].id}`;
    expect((await api.call("GET", one)).body.data).toEqual(data[0]);
    expect((await api.call("POST", `${one}/download`)).status).toBe(200);
    expect((await api.call("DELETE", one)).status).toBe(204);
    expect(kept().size).toBe(0);
  });
});

describe("rows and archives", () => {
  test("an archive without a row stays and is told; a row without one says so", async () => {
    const [row] = await rows();
    kept().clear();
    const orphan = "019a0000-0000-7000-8000-0000000000d1";
    const stored_at = api.clock.now().toISOString();
    kept().set(orphan, { ...aDump(orphan), stored_at });
    later(1000);
    await compareDumps(api.context);
    expect([...kept().keys()]).toEqual([orphan]);
    const { data } = (await api.call("GET", `${path}/backups/bkp_${row?.id}`)).body;
    expect(data).toMatchObject({ state: "failed", error_message: expect.stringMatching(/gone/) });
    later(400 * day);
    await compareDumps(api.context);
    expect([...kept().keys()]).toEqual([orphan]);
    const [alert] = (await api.call("GET", "/api/v1/admin/alerts?kind=orphan_dump")).body.data;
    expect(alert.message).toContain(orphan);
    const remove = (id: string) => api.call("DELETE", `/api/v1/admin/hosts/${hostId}/dumps/${id}`);
    expect((await remove(row?.id ?? "")).body.error.code).toBe("DUMP_IN_USE");
    expect((await remove(orphan)).status).toBe(204);
    await compareDumps(api.context);
    expect(kept().size).toBe(0);
    const left = (await api.call("GET", "/api/v1/admin/alerts?kind=orphan_dump")).body;
    expect(left.total).toBe(0);
  });

  test("an archive nobody finished sending says so", async () => {
    const [row] = await rows();
    if (row === undefined) throw new Error("No stage.");
    const { seq: _, ...received } = { ...row, id: "019a0000-0000-7000-8000-0000000000d2" };
    const state = "running" as const;
    await api.context.db
      .insert(dump)
      .values({ ...received, state, operationId: null, origin: "received" });
    await compareDumps(api.context);
    later(7 * 3_600_000);
    await compareDumps(api.context);
    expect((await rows()).find(({ id }) => id === received.id)).toMatchObject({
      state: "failed",
      errorMessage: expect.stringMatching(/never came whole/),
    });
  });

  test("a silent host loses nothing", async () => {
    later(11 * day);
    api.host.failAt(1, "before");
    await expireDumps(api.context);
    expect((await rows()).length).toBe(1);
    await expireDumps(api.context);
    expect((await rows()).length).toBe(0);
  });
});
