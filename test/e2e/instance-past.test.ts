// What must not happen when a database of its own Postgres is brought back: another past than the
// one that was lived, a tenant that becomes more than it was, a neighbour that is harmed.
import { readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { endNow } from "../../host/base/running.ts";
import { platformSession } from "../../host/instance/session.ts";
import { lastBegun } from "../../host/wal/shipper.ts";
import { until } from "../support/client.ts";
import { openTestDatabases, type TestDatabase } from "../support/databases.ts";

let host: Awaited<ReturnType<typeof openTestDatabases>>;
beforeAll(async () => {
  host = await openTestDatabases();
});
afterAll(() => host?.stop());

/** A database with a ledger and a base backup, and a client that stays. */
async function begin(name: string): Promise<TestDatabase & { readonly client: Client }> {
  const made = await host.create(name);
  const client = await host.connect(made);
  await client.query("create table ledger (n int primary key)");
  await host.databases.backUp(name, "full");
  return { ...made, client };
}

const moment = async (client: Client): Promise<string> =>
  (await client.query("select clock_timestamp()::text as at")).rows[0].at;

const numbers = async (client: Client) =>
  (await client.query("select n from ledger order by n")).rows.map(({ n }) => n);

const add = (client: Client, n: number) => client.query("insert into ledger values ($1)", [n]);

let shown = 0;

/** What a database was at a moment. */
async function seen(of: TestDatabase, time: string): Promise<readonly number[]> {
  shown++;
  const line = `proj_test_seen_${shown}`;
  await host.databases.preview(of.name, { time }, host.previewOf(of.name, line));
  const reader = await host.connect({ ...of, name: line });
  const found = await numbers(reader);
  await reader.end();
  await host.databases.removePreview(line);
  return found;
}

describe("moments", () => {
  test("are those that were lived, also before and after restores in place", async () => {
    const one = await begin("proj_test_moments");
    await add(one.client, 1);
    const first = await moment(one.client);
    await add(one.client, 2);
    const second = await moment(one.client);
    await add(one.client, 3);
    await host.databases.backUp(one.name, "incr");
    await host.databases.restore(one.name, { time: first });
    await add(one.client, 10);
    const third = await moment(one.client);
    await add(one.client, 11);
    expect(await seen(one, second)).toEqual([1, 2]);
    expect(await seen(one, third)).toEqual([1, 10]);
    expect(await seen(one, first)).toEqual([1]);
    await host.databases.restore(one.name, { time: third });
    expect(await numbers(one.client)).toEqual([1, 10]);
    await one.client.end();
  });

  test("later than the last commit show all there is", async () => {
    const one = await begin("proj_test_later");
    await add(one.client, 1);
    expect(await seen(one, await moment(one.client))).toEqual([1]);
    await one.client.end();
  });

  test("are kept in order by two restores that are asked for at once", async () => {
    const one = await begin("proj_test_twice");
    await add(one.client, 1);
    const first = await moment(one.client);
    await add(one.client, 2);
    const both = [1, 2].map(() => host.databases.restore(one.name, { time: first }));
    await Promise.all(both);
    await add(one.client, 3);
    await host.databases.restore(one.name, { latest: true });
    expect(await numbers(one.client)).toEqual([1, 3]);
    await one.client.end();
  });

  test("are whole after Postgres was killed again and again", async () => {
    const one = await begin("proj_test_killed");
    await one.client.query("create table wide (text text)");
    let next = 0;
    for (let round = 0; round < 4; round++) {
      const writer = await host.connect(one);
      let isOver = false;
      const writing = (async () => {
        while (!isOver) {
          // What was not acknowledged may be there all the same.
          await writer.query("insert into ledger values ($1)", [next++]);
          await writer.query("insert into wide values (repeat(md5(random()::text), 400))");
        }
      })().catch(() => undefined);
      const before = next;
      await until(
        "some rows",
        async () => next - before,
        (count) => count > 50,
      );
      const { server } = host.keeper.live(one.name);
      if (server !== undefined) await endNow(server);
      // Who asks meanwhile waits in the pooler.
      await host.keeper.revive(host.keeper.live(one.name).record.name);
      isOver = true;
      await writing;
    }
    const client = await host.connect(one);
    await add(client, 1_000_000);
    const all = await numbers(client);
    expect(all.length).toBeGreaterThan(200);
    expect(await seen(one, await moment(client))).toEqual(all);
    await client.end();
    await one.client.end().catch(() => undefined);
  });

  test("are kept of a database that slept while the host program came anew", async () => {
    const one = await begin("proj_test_slept");
    await add(one.client, 1);
    await one.client.end();
    await host.keeper.sleep(host.keeper.live(one.name).record.name);
    await host.comeAnew();
    const client = await host.connect(one);
    await add(client, 2);
    await host.databases.restore(one.name, { latest: true });
    expect(await numbers(client)).toEqual([1, 2]);
    await client.end();
  });

  test("are kept of a database that was stopped right after a segment ended", async () => {
    const one = await begin("proj_test_stopped");
    const { name } = host.keeper.live(one.name).record;
    for (const round of [1, 2, 3]) {
      const { place } = host.keeper.roster.box(name);
      const session = platformSession(host.fleet, place, one.name);
      await add(one.client, 2 * round);
      await session.query("select pg_switch_wal()");
      await add(one.client, 2 * round + 1);
      await session.close();
      await host.keeper.stop(name);
      const copies = join(host.fleet.directory, "repository", one.name, "wal");
      await host.means.wal.takeNow(one.name);
      // The switch was in one segment, and what came after it in the next.
      const newest = (directory: string) =>
        readdirSync(directory)
          .filter((each) => /^[0-9A-F]{24}$/.test(each))
          .toSorted();
      const begun = lastBegun(host.keeper.roster.box(name));
      expect(newest(copies).at(-1)).toBe(begun);
      await host.keeper.start(name);
    }
    await host.databases.restore(one.name, { latest: true });
    expect(await numbers(one.client)).toEqual([2, 3, 4, 5, 6, 7]);
    await one.client.end();
  });
});

describe("a tenant", () => {
  test("is no superuser after a restore, whatever functions and settings it left", async () => {
    const one = await begin("proj_test_clever");
    for (const name of ["pg_reload_conf", "pg_is_in_recovery", "pg_wal_replay_resume"]) {
      await one.client.query(`
        create function public.${name}() returns boolean language plpgsql as
        $f$ begin execute 'alter role ${one.login} superuser'; return true; end $f$`);
    }
    await one.client.query(`alter database ${one.name} set search_path = public, pg_catalog`);
    await one.client.query(`alter database ${one.name} set statement_timeout = 1`);
    await one.client.query(`alter role ${one.login} set statement_timeout = 0`);
    await host.databases.restore(one.name, { latest: true });
    const { rows } = await one.client.query(
      "select rolsuper from pg_catalog.pg_roles where rolname = current_user",
    );
    expect(rows).toEqual([{ rolsuper: false }]);
    await one.client.end();
  });

  test("takes no name that is another's", async () => {
    const [one, victim] = [await begin("proj_test_thief"), await begin("proj_test_victim")];
    await add(victim.client, 7);
    const { spec } = await host.order(victim.name);
    await expect(host.databases.branch(one.name, victim.name, spec)).rejects.toThrow(/already/);
    expect(await numbers(victim.client)).toEqual([7]);
    const former = host.keeper.live(victim.name).record.name;
    await expect(host.databases.bringBack(one.name, former)).rejects.toThrow(/put aside/);
    await expect(host.databases.bringBack(victim.name, former)).rejects.toThrow(/put aside/);
    expect(await numbers(victim.client)).toEqual([7]);
    await Promise.all([one.client.end(), victim.client.end()]);
  });

  test("has the host write to no file of its own", async () => {
    const one = await begin("proj_test_linker");
    await add(one.client, 1);
    const former = await host.databases.restore(one.name, { latest: true });
    const precious = join(host.fleet.directory, "precious");
    writeFileSync(precious, "kept");
    symlinkSync(precious, join(host.keeper.roster.box(former).place.data, "recovery.signal"));
    await expect(host.databases.bringBack(one.name, former)).rejects.toThrow();
    expect(readFileSync(precious, "utf8")).toBe("kept");
    expect(await numbers(one.client)).toEqual([1]);
    await one.client.end();
  });
});
