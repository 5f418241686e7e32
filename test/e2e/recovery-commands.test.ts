// What the control plane asks of recoveries: each command twice, also after the host program was
// started anew, and what a tenant finds then.
import { randomUUID } from "node:crypto";
import { readdirSync } from "node:fs";
import type { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fleetPlaces } from "../../host/instance/fleet.ts";
import { until } from "../support/client.ts";
import { openTestDatabases, type TestDatabase } from "../support/databases.ts";
import { moment } from "../support/past.ts";

let host: Awaited<ReturnType<typeof openTestDatabases>>;
beforeAll(async () => {
  host = await openTestDatabases();
});
afterAll(() => host?.stop());

const now = async (client: Client): Promise<string> =>
  moment((await client.query("select clock_timestamp()::text as at")).rows[0].at);

const numbers = async (client: Client) =>
  (await client.query("select n from ledger order by n")).rows.map(({ n }) => n);

/** A database that has lost its ledger since a moment. */
async function begin(name: string) {
  const made = await host.create(name);
  const client = await host.connect(made);
  await client.query("create table ledger (n int primary key)");
  await client.query("insert into ledger values (1), (2)");
  await host.databases.backUp(name, "full");
  await client.query("insert into ledger values (3)");
  const at = await now(client);
  await client.query("drop table ledger");
  return { ...made, client, at };
}

const instances = () => readdirSync(fleetPlaces(host.fleet).instances).toSorted();

const recover = (of: { name: string; at: string }, purpose: "preview" | "restore") =>
  host.databases.recover({ database: of.name, target: { time: of.at } }, purpose);

describe("an exchange", () => {
  test("answers the same when it is asked for again, also of the next host program", async () => {
    const one = await begin("proj_test_twice");
    const recovery_id = await recover(one, "restore");
    const first = await host.commands["recovery.exchange"]({ recovery_id });
    expect(await numbers(one.client)).toEqual([1, 2, 3]);
    expect(await host.commands["recovery.exchange"]({ recovery_id })).toEqual(first);
    await host.comeAnew();
    expect(await host.commands["recovery.exchange"]({ recovery_id })).toEqual(first);
    await host.commands["recovery.end"]({ recovery_id });
    expect(await numbers(one.client)).toEqual([1, 2, 3]);
    const back = { database: one.name, instance: first.instance };
    const undone = await host.commands["aside.bring_back"](back);
    expect(await host.commands["aside.bring_back"](back)).toEqual(undone);
    await expect(numbers(one.client)).rejects.toThrow(/does not exist/);
    await host.commands["aside.remove"]({ database: one.name, instance: undone.instance });
    await host.commands["aside.remove"]({ database: one.name, instance: undone.instance });
    expect(instances()).not.toContain(undone.instance);
    await one.client.end();
  });

  test("keeps the logins of now, of a moment before they were", async () => {
    const one = await begin("proj_test_rotated");
    const { spec, password } = await host.order("proj_test_other");
    const [login] = spec.logins;
    const { spec: former } = host.recordOf(one.name);
    if (login === undefined) throw new Error("There is no login.");
    await host.commands["database.configure"]({
      database: one.name,
      spec: { ...former, logins: [login, ...former.logins] },
    });
    await host.databases.restore(one.name, { time: one.at });
    const rotated = { name: one.name, login: login.name, password };
    for (const who of [one, rotated]) {
      const client = await host.connect(who);
      await client.query("insert into ledger select max(n) + 1 from ledger");
      const { rows } = await client.query("select current_user as who");
      expect(rows).toEqual([{ who: login.name }]);
      await client.end();
    }
    await one.client.end();
  });

  test("of a lost recovery is refused, nothing of it is left, and it can begin again", async () => {
    const one = await begin("proj_test_lost");
    const before = instances();
    const recovery_id = await recover(one, "restore");
    expect(instances().length).toBe(before.length + 1);
    await host.comeAnew();
    expect(instances()).toEqual(before);
    const unknown = { status: 404, code: "unknown_recovery" };
    await expect(host.commands["recovery.status"]({ recovery_id })).rejects.toMatchObject(unknown);
    await expect(host.commands["recovery.exchange"]({ recovery_id })).rejects.toMatchObject(
      unknown,
    );
    const request = { database: one.name, target: { time: one.at } };
    await host.commands["recovery.start"]({ recovery_id, request, for: "restore" });
    await host.commands["recovery.start"]({ recovery_id, request, for: "restore" });
    expect(await host.databases.over(recovery_id)).toMatchObject({ state: "ready", position: 0 });
    await host.commands["recovery.exchange"]({ recovery_id });
    expect(await numbers(one.client)).toEqual([1, 2, 3]);
    await one.client.end();
  });

  test("is not for who only looks, and one that is ended leaves nothing", async () => {
    const one = await begin("proj_test_ended");
    const before = instances();
    const recovery_id = await recover(one, "preview");
    await expect(host.commands["recovery.exchange"]({ recovery_id })).rejects.toMatchObject({
      status: 409,
    });
    await host.commands["recovery.end"]({ recovery_id });
    await host.commands["recovery.end"]({ recovery_id });
    expect(instances()).toEqual(before);
    const early = { database: one.name, target: { time: "2020-01-01T00:00:00Z" } };
    const id = await host.databases.begin(early, "restore");
    const report = await host.databases.over(id);
    expect(report).toMatchObject({ state: "failed", passed_over: [] });
    expect(report.error).toMatch(/No base backup is older/);
    expect(instances()).toEqual(before);
    await one.client.end();
  });
});

describe("a preview", () => {
  async function open(one: Awaited<ReturnType<typeof begin>>, name: string, keep_seconds = 3600) {
    const recovery_id = await recover(one, "preview");
    const { spec, ...who } = await host.order(name);
    const preview = { ...host.previewOf(one.name, name), keep_seconds };
    const [login = preview.login] = spec.logins;
    const opened = { recovery_id, preview: { ...preview, login } };
    await host.commands["recovery.open"](opened);
    return { recovery_id, opened, who };
  }

  test("is read by its own login, which nobody else has, and which has nothing else", async () => {
    const one = await begin("proj_test_shown");
    const { recovery_id, opened, who } = await open(one, "proj_test_pre");
    await host.commands["recovery.open"](opened);
    for (const mode of ["transaction", "session"] as const) {
      const reader = await host.connect(who, mode);
      expect(await numbers(reader)).toEqual([1, 2, 3]);
      await expect(reader.query("insert into ledger values (4)")).rejects.toThrow(/read-only/);
      await reader.end();
    }
    const strangers: TestDatabase[] = [
      { ...who, password: "another" },
      { ...one, name: who.name },
      { ...who, name: one.name },
    ];
    for (const stranger of strangers) await expect(host.connect(stranger)).rejects.toThrow();
    await one.client.query("create table later ()");
    await host.comeAnew();
    const again = await host.connect(who);
    expect(await numbers(again)).toEqual([1, 2, 3]);
    await again.end();
    await host.commands["recovery.end"]({ recovery_id });
    await expect(host.connect(who)).rejects.toThrow();
    await one.client.end();
  });

  test("ends by itself when its time is over, and leaves nothing", async () => {
    const one = await begin("proj_test_brief");
    const before = instances();
    const { who } = await open(one, "proj_test_brief_pre", 1);
    await host.comeAnew();
    while (instances().length > before.length) await host.databases.recoveries.look();
    await expect(host.connect(who)).rejects.toThrow();
    expect(instances()).toEqual(before);
    await one.client.end();
  });
});

describe("a database", () => {
  test("comes of a recovery, with its own login, and is recovered in turn", async () => {
    const one = await begin("proj_test_source");
    const recovery_id = await recover(one, "restore");
    const { spec, ...who } = await host.order("proj_test_adopted");
    const adopted = { recovery_id, database: who.name, spec };
    await host.commands["recovery.adopt"](adopted);
    const client = await host.connect(who);
    expect(await numbers(client)).toEqual([1, 2, 3]);
    await host.commands["recovery.adopt"](adopted);
    await host.comeAnew();
    await host.commands["recovery.adopt"](adopted);
    await host.commands["recovery.end"]({ recovery_id });
    await client.query("insert into ledger values (4)");
    await host.databases.backups.ensure(who.name);
    await client.query("insert into ledger values (5)");
    const at = await now(client);
    await client.query("delete from ledger");
    await host.databases.restore(who.name, { time: at });
    expect(await numbers(client)).toEqual([1, 2, 3, 4, 5]);
    await expect(numbers(one.client)).rejects.toThrow(/does not exist/);
    const system = (name: string) => host.keeper.live(name).record.systemIdentifier;
    expect(system(who.name)).not.toBe(system(one.name));
    await Promise.all([client.end(), one.client.end()]);
  });

  test("that was removed comes back as it was at its last moment", async () => {
    const one = await begin("proj_test_gone");
    await until(
      "a window, which begins a second after the base backup",
      async () => (await host.commands.recovery_window({ database: one.name })).spans,
      (spans) => spans.length > 0,
    );
    await one.client.query("create table last (n int)");
    await one.client.query("insert into last values (7)");
    const at = await now(one.client);
    await one.client.end();
    await host.databases.remove(one.name);
    const { base_backups } = await host.commands.base_backups({ database: one.name });
    expect(base_backups.length).toBeGreaterThan(0);
    const { spans } = await host.commands.recovery_window({ database: one.name });
    expect(spans.at(-1)?.to.localeCompare(at) ?? -1).toBeGreaterThanOrEqual(0);
    const recovery_id = await recover({ name: one.name, at }, "restore");
    const { spec, ...who } = await host.order("proj_test_returned");
    await host.commands["recovery.adopt"]({ recovery_id, database: who.name, spec });
    const client = await host.connect(who);
    expect((await client.query("select n from last")).rows).toEqual([{ n: 7 }]);
    await client.end();
    await expect(
      host.databases.begin({ database: "proj_test_never", target: { time: at } }, "restore"),
    ).rejects.toMatchObject({ status: 404 });
  });
});

test("an id that nobody began is unknown to all commands but the end", async () => {
  const recovery_id = randomUUID();
  const unknown = { status: 404, code: "unknown_recovery" };
  const { spec } = await host.order("proj_test_nobody");
  await expect(
    host.commands["recovery.adopt"]({ recovery_id, database: "proj_test_nobody", spec }),
  ).rejects.toMatchObject(unknown);
  await expect(
    host.commands["recovery.copy_tables"]({
      recovery_id,
      tables: [{ schema: "public", name: "ledger" }],
    }),
  ).rejects.toMatchObject(unknown);
  await host.commands["recovery.end"]({ recovery_id });
});
