// Nothing a tenant's session leaves behind reaches another tenant, another login or what comes
// after it under its name, on real Postgres and PgBouncer.
import type { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sizeLimits } from "../../src/database/size.ts";
import { call, connected, createProject, query, until } from "../support/client.ts";
import { startLoad } from "../support/load.ts";
import { stain, stainedKey, tracesIn } from "../support/stain.ts";
import { type OwnSystem, startSystem } from "../support/system.ts";

type Port = "transaction" | "session";

// All that a small database has, at either port.
const { poolSize: backends } = sizeLimits.small;
const turnedAway = /login rejected|no such user|authentication failed|no such database/;

/** A tenant's database, as it is reached now. */
interface Tenant {
  readonly id: string;
  readonly name: string;
  readonly urls: Readonly<Record<Port, string>>;
}

let system: OwnSystem;
let one: Tenant;
let two: Tenant;

beforeAll(async () => {
  system = await startSystem();
  one = await createTenant("one");
  two = await createTenant("two");
}, 300_000);

afterAll(() => system?.remove());

function tenantOf(database: Record<string, string>): Tenant {
  const { id = "", database: name = "", database_url: transaction = "" } = database;
  return { id, name, urls: { transaction, session: database.database_url_session ?? "" } };
}

async function createTenant(word: string): Promise<Tenant> {
  const tenant = tenantOf((await createProject(system, { name: word })).database);
  await query(tenant.urls.session, `create table word as select '${word}' as word`);
  return tenant;
}

/** Runs `work` with as many clients as there are backends. */
async function withClients<Result>(
  url: string,
  work: (clients: readonly Client[]) => Promise<Result>,
): Promise<Result> {
  const clients = await Promise.all(Array.from({ length: backends }, () => connected(url)));
  return work(clients).finally(() => Promise.all(clients.map((client) => client.end())));
}

const clean = ({ name, urls }: Tenant, owner = new URL(urls.transaction).username) => ({
  acting: owner,
  login: new URL(urls.transaction).username,
  place: name,
  path: '"$user", public',
  zone: "UTC",
  timeout: "0",
  own: null,
  ...{ prepared: 0, cursors: 0, tables: 0, locks: 0, channels: 0 },
});

async function expectClean(tenant: Tenant, port: Port): Promise<void> {
  const traces = await withClients(tenant.urls[port], tracesIn);
  for (const trace of traces) expect(trace).toEqual(clean(tenant));
}

describe.each(["transaction", "session"] as const)("at the %s port", (port) => {
  test("no backend knows what another tenant's sessions left behind", async () => {
    await withClients(one.urls[port], async (stained) => {
      await stain(stained);
      for (const trace of await tracesIn(stained)) expect(trace).toMatchObject({ cursors: 1 });
      await expectClean(two, port);
    });
    await expectClean(two, port);
  });

  test("a name that both prepared means to each what it prepared", async () => {
    const ask = async (tenant: Tenant, word: string) =>
      withClients(tenant.urls[port], async (clients) => {
        const text = `select '${word}' as word`;
        for (let round = 0; round < 20; round++) {
          const results = clients.map((client) => client.query({ name: "same", text }));
          for (const { rows } of await Promise.all(results)) expect(rows).toEqual([{ word }]);
        }
      });
    await Promise.all([ask(one, "mine"), ask(two, "yours")]);
  });

  test("a lock that one tenant holds is free to another", async () => {
    const holder = await connected(one.urls[port]);
    const other = await connected(two.urls[port]);
    const lock = `select pg_try_advisory_xact_lock(${stainedKey + 1}) as has_it`;
    await holder.query("begin");
    expect((await holder.query(lock)).rows).toEqual([{ has_it: true }]);
    expect((await other.query(lock)).rows).toEqual([{ has_it: true }]);
    await Promise.all([holder.end(), other.end()]);
  });
});

test("a notification stays in its database", async () => {
  const heard: (string | undefined)[] = [];
  const listener = await connected(two.urls.session);
  listener.on("notification", ({ payload }) => heard.push(payload));
  await listener.query("listen same");
  await query(one.urls.transaction, "notify same, 'theirs'");
  await query(two.urls.transaction, "notify same, 'mine'");
  await until(
    "a notification",
    async () => heard,
    (each) => each.length > 0,
  );
  await listener.end();
  expect(heard).toEqual(["mine"]);
});

describe("under load", () => {
  let neighbour: ReturnType<typeof startLoad>;
  let renewed: Tenant;

  beforeAll(() => {
    neighbour = startLoad(two.urls.transaction);
  });

  /** Resolves when a load has heard some more. */
  const goesOn = (load: ReturnType<typeof startLoad>) => {
    const { answers } = load.heard();
    return until(
      "more answers",
      async () => load.heard().answers,
      (now) => now > answers + 50,
    );
  };

  test("a new login knows nothing of what the old one left behind", async () => {
    const old = startLoad(one.urls.transaction);
    await goesOn(old);
    await withClients(one.urls.transaction, stain);
    const path = `/databases/${one.id}/credentials/rotate`;
    const { status, body } = await call(system, "POST", path, { body: { overlap_seconds: 0 } });
    expect(status).toBe(200);
    renewed = tenantOf({ ...body.data, id: one.id, database: one.name });
    const current = startLoad(renewed.urls.transaction);
    await goesOn(current);
    const isAway = () => query(one.urls.transaction, "select 1").then(() => "", String);
    await until("The end of the old login", isAway, (said) => turnedAway.test(said), 60);
    const [oldHeard, heard] = await Promise.all([old.stop(), current.stop()]);
    expect([...oldHeard.words, ...heard.words]).toEqual(["one", "one"]);
    expect([...heard.errors]).toEqual([]);
    await expectClean(renewed, "transaction");
  });

  test("what is brought back knows nothing of what was there since", async () => {
    const { body: point } = await call(system, "POST", `/databases/${one.id}/restore-points`, {
      body: { name: "before" },
    });
    expect(point.data?.name, JSON.stringify(point)).toBe("before");
    await query(renewed.urls.session, "update word set word = 'later'");
    const load = startLoad(renewed.urls.transaction);
    await goesOn(load);
    await withClients(renewed.urls.transaction, stain);
    const { body } = await call(system, "POST", `/databases/${one.id}/restores`, {
      body: { restore_point: "before", mode: "in_place" },
    });
    const restore = async () => (await call(system, "GET", `/restores/${body.data.id}`)).body.data;
    await until("The restore", restore, ({ state }) => state === "succeeded", 120);
    await expectClean(renewed, "transaction");
    await goesOn(load);
    expect([...(await load.stop()).words]).toEqual(["later", "one"]);
  });

  test("who comes after a database that is gone meets nothing and nobody of before", async () => {
    await call(system, "DELETE", `/databases/${one.id}?grace_seconds=0`);
    const path = `/databases/${one.id}`;
    await until(
      "404",
      () => call(system, "GET", path),
      ({ status }) => status === 404,
    );
    const heir = await createTenant("heir");
    await expectClean(heir, "transaction");
    await expect(query(renewed.urls.transaction, "select 1")).rejects.toThrow(turnedAway);
  });

  test("and a neighbour notices nothing of it all", async () => {
    const { words, errors } = await neighbour.stop();
    expect([...words]).toEqual(["two"]);
    expect([...errors]).toEqual([]);
    await expectClean(two, "transaction");
  });
});
