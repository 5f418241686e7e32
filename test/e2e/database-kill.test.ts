// The host program is killed in the middle of what it does to a database. The next one finds a
// database that serves or none, and the same command again ends as it would have.
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import type { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fleetMark, fleetPlaces } from "../../host/instance/fleet.ts";
import { findServers } from "../../host/instance/server.ts";
import { verifierOf } from "../../host/instance/verifier.ts";
import type { DatabaseSpec } from "../../src/contract/instance/spec.ts";
import { openTestDatabases, type TestDatabase } from "../support/databases.ts";

let host: Awaited<ReturnType<typeof openTestDatabases>>;
let neighbour: Client;
beforeAll(async () => {
  host = await openTestDatabases();
  neighbour = await host.connect(await host.create("proj_kill_neighbour"));
  await neighbour.query("create table t as select 1 as n");
});
afterAll(async () => {
  // It stayed connected over all of it.
  expect((await neighbour.query("select n from t")).rows).toEqual([{ n: 1 }]);
  await neighbour.end();
  await host?.stop();
});

async function ask(who: TestDatabase, text: string) {
  const client = await host.connect(who);
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

const specOf = ({ name }: TestDatabase) => host.recordOf(name).spec;

/** Names of instances that have a process or files. */
function remains(name: string): readonly string[] {
  const { instances, records } = fleetPlaces(host.fleet);
  const all = [...findServers(fleetMark(host.fleet)).keys()];
  const files = [...readdirSync(instances), ...readdirSync(records)];
  return [...all, ...files].filter((each) => each.includes(name));
}

/** A spec that differs in everything that is not said at once. */
async function changed({ name, password }: TestDatabase, spec: DatabaseSpec) {
  const login = `usr_${name}_2`;
  const logins = [{ name: login, verifier: await verifierOf(password, 4096) }, ...spec.logins];
  const next = { ...spec, logins, memory_bytes: 1024 ** 3, is_full: true };
  return { next, second: { name, login, password } };
}

// From its first step to after its last one, as long as that takes on a machine that is busy.
describe.each([10, 60, 150, 300, 600])("a host program that is killed after %i ms", (later) => {
  const name = `proj_kill_${later}`;
  let one: TestDatabase & { readonly spec: DatabaseSpec };

  test("of a create", async () => {
    one = await host.order(name);
    await host.killIn(later, "create", name, one.spec);
    await host.databases.create(name, one.spec);
    await ask(one, "create table t as select 7 as n");
    expect(new Set(remains(name).map((each) => each.replace(".json", ""))).size).toBe(1);
  });

  test("of a change of all of its spec, and back", async () => {
    const { next, second } = await changed(one, specOf(one));
    await host.killIn(later, "configure", name, next);
    await host.databases.configure(name, next);
    for (const who of [one, second]) {
      expect(await ask(who, "show shared_buffers")).toEqual([{ shared_buffers: "128MB" }]);
      await expect(ask(who, "insert into t values (8)")).rejects.toThrow(/denied/);
    }
    await host.killIn(later, "configure", name, one.spec);
    // The next program goes on with it by itself.
    await host.settle();
    await host.databases.configure(name, one.spec);
    await ask(one, "insert into t values (8)");
    await expect(host.connect(second)).rejects.toThrow();
    const roles = "select rolname from pg_roles where rolname ~ '_2$|^miosa_(owner|spare)'";
    expect(await ask(one, roles)).toEqual([]);
  });

  test("of a stop, a start and a restart", async () => {
    await host.killIn(later, "stop", name);
    await host.settle();
    await host.databases.stop(name);
    await expect(host.connect(one)).rejects.toThrow(/is disabled/);
    expect(host.keeper.live(name).server).toBeUndefined();
    await host.killIn(later, "start", name);
    await host.settle();
    await host.databases.start(name);
    await host.killIn(later, "restart", name);
    await host.databases.restart(name);
    expect(await ask(one, "select n from t order by n")).toEqual([{ n: 7 }, { n: 8 }]);
  });

  let wanted: TestDatabase & { readonly spec: DatabaseSpec };

  test("of a branch", async () => {
    wanted = await host.order(`${name}_branch`);
    await host.killIn(later, "branch", name, wanted.name, wanted.spec);
    await host.databases.branch(name, wanted.name, wanted.spec);
    expect(await ask(wanted, "select n from t order by n")).toEqual([{ n: 7 }, { n: 8 }]);
  });

  test("of a removal, and what has its name next begins anew", async () => {
    await host.killIn(later, "remove", wanted.name);
    await host.databases.remove(wanted.name);
    expect(remains(wanted.name)).toEqual([]);
    await expect(host.connect(wanted)).rejects.toThrow();
    const password = randomBytes(24).toString("base64url");
    const logins = [{ name: wanted.login, verifier: await verifierOf(password, 4096) }];
    await host.databases.create(wanted.name, { ...wanted.spec, logins });
    await expect(ask({ ...wanted, password }, "select n from t")).rejects.toThrow(/not exist/);
    await host.databases.remove(wanted.name);
    expect(await ask(one, "select n from t order by n")).toEqual([{ n: 7 }, { n: 8 }]);
  });
});
