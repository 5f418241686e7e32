import { expect, it } from "vitest";
import { unseal } from "../../src/core/seal.ts";
import { openPassword } from "../../src/database/credential.ts";
import { resealDatabases } from "../../src/database/reseal.ts";
import { database } from "../../src/database/table.ts";
import { resealHosts, sealedSamples } from "../../src/host/reseal.ts";
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
  const { loginRole: name, passwordSealed } = before.row;
  await test.context.db.update(database).set({ formerLogins: [{ name, passwordSealed }] });

  const both = { ...test.context, keyring: await keyringOf("k1", "k2") };
  expect([await resealDatabases(both), await resealHosts(both)]).toEqual([1, 1]);
  expect([await resealDatabases(both), await resealHosts(both)]).toEqual([0, 0]);

  const after = await read();
  const onlyNew = { ...test.context, keyring: await keyringOf("k2") };
  expect(await openPassword(onlyNew, after.row)).toBe(password);
  const [former] = after.row.formerLogins;
  if (former === undefined) throw new Error("There is no former login.");
  const { id } = after.row;
  expect(await openPassword(onlyNew, { id, ...former })).toBe(password);
  for (const { purpose, sealed } of await sealedSamples(onlyNew)) {
    expect(await unseal(onlyNew.keyring, purpose, sealed)).toBe(after.home.id);
  }
});
