import { expect, it } from "vitest";
import { openPassword } from "../../src/database/credential.ts";
import { resealDatabases } from "../../src/database/reseal.ts";
import { database } from "../../src/database/table.ts";
import { openControlPassword } from "../../src/host/register.ts";
import { resealHosts } from "../../src/host/reseal.ts";
import { host } from "../../src/host/table.ts";
import { createTestContext, keyringOf } from "../support/context.ts";
import { aRunningProject } from "../support/seed.ts";

it("a new sealing key takes over every secret; afterwards the former one may go", async () => {
  const test = await createTestContext();
  await aRunningProject(test);
  const read = async () => {
    const [[row], [home]] = await test.context.db.batch([
      test.context.db.select().from(database),
      test.context.db.select().from(host),
    ]);
    if (row === undefined || home === undefined) throw new Error("Nothing was made.");
    return { row, home };
  };
  const before = await read();
  const password = await openPassword(test.context, before.row);

  const both = { ...test.context, keyring: await keyringOf("k1", "k2") };
  expect([await resealDatabases(both), await resealHosts(both)]).toEqual([1, 1]);
  expect([await resealDatabases(both), await resealHosts(both)]).toEqual([0, 0]);

  const after = await read();
  const onlyNew = { ...test.context, keyring: await keyringOf("k2") };
  expect(await openPassword(onlyNew, after.row)).toBe(password);
  expect(await openControlPassword(onlyNew, after.home)).toBe("a password only tests know");
});
