import { eq } from "drizzle-orm";
import { beforeEach, describe, expect, test } from "vitest";
import { commit } from "../../src/core/batch.ts";
import { newId } from "../../src/core/id.ts";
import { place, release, reserve } from "../../src/host/place.ts";
import { registerHost } from "../../src/host/register.ts";
import { host } from "../../src/host/table.ts";
import { noteSilent } from "../../src/host/watch.ts";
import { createTestContext, type TestContext } from "../support/context.ts";

let house: TestContext;

beforeEach(async () => {
  house = await createTestContext();
});

async function aHost(name: string, databasesMax = 2): Promise<string> {
  const id = newId(house.context);
  await registerHost(house.context, {
    id,
    name,
    hostUrl: "https://host.test",
    publicHost: "db.test",
    transactionPort: 6432,
    sessionPort: 6433,
    databasesMax,
  });
  return id;
}

const take = (id: string) => commit(house.context, [reserve(house.context, id, 8)]);

describe("placement", () => {
  test("without a host says so, and when to come again", async () => {
    await expect(place(house.context, 8)).rejects.toMatchObject({
      status: 503,
      code: "NO_CAPACITY",
      options: { retryAfterSeconds: 30 },
    });
  });

  test("takes the emptiest host, the oldest of equals", async () => {
    const [one, two] = [await aHost("one"), await aHost("two")];
    expect(await place(house.context, 8)).toBe(one);
    await take(one);
    expect(await place(house.context, 8)).toBe(two);
    await take(two);
    expect(await place(house.context, 8)).toBe(one);
  });

  test("passes over a full host, and refuses when all are full", async () => {
    const [small, other] = [await aHost("small", 1), await aHost("other", 2)];
    await take(other);
    await take(small);
    expect(await place(house.context, 8)).toBe(other);
    await take(other);
    await expect(place(house.context, 8)).rejects.toMatchObject({ code: "NO_CAPACITY" });
  });

  test("passes over a draining host", async () => {
    const [one, two] = [await aHost("one"), await aHost("two")];
    const { db } = house.context;
    await db.update(host).set({ state: "draining" }).where(eq(host.id, one));
    expect(await place(house.context, 8)).toBe(two);
  });

  test("passes over one that is silent, or whose disk is nearly full", async () => {
    const [one, two] = [await aHost("one"), await aHost("two")];
    await commit(house.context, [noteSilent(house.context, one, "gone")]);
    expect(await place(house.context, 8)).toBe(two);
    const full = { diskFreeBytes: 1e9, diskTotalBytes: 100e9 };
    await house.context.db.update(host).set(full).where(eq(host.id, two));
    await expect(place(house.context, 8)).rejects.toMatchObject({ code: "NO_CAPACITY" });
  });

  test("gives the last place to one of two that race for it", async () => {
    const id = await aHost("one", 1);
    const both = await Promise.allSettled([take(id), take(id)]);
    expect(both.filter(({ status }) => status === "rejected")).toHaveLength(1);
    const [row] = await house.context.db.select().from(host);
    expect(row?.databasesCount).toBe(1);
  });

  test("has the place again after it was released, and never counts below none", async () => {
    const id = await aHost("one", 1);
    await take(id);
    await commit(house.context, [release(house.context, id, 8)]);
    expect(await place(house.context, 8)).toBe(id);
    await expect(commit(house.context, [release(house.context, id, 8)])).rejects.toThrow();
  });
});
