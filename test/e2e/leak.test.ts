// Nothing a tenant's session leaves behind reaches another tenant, another login or what comes
// after it under its name, on real Postgres and PgBouncer.
import { join } from "node:path";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sizeLimits } from "../../src/database/size.ts";
import type { Query, SqlPool } from "../../src/host/sql.ts";
import { tenantSql } from "../../src/host/tenant.ts";
import { twinSql } from "../../src/host/twin.ts";
import { connected, query, until } from "../support/client.ts";
import { startTestHost, type TestHost } from "../support/host.ts";
import { startLoad } from "../support/load.ts";
import { stain, stainedKey, tracesIn } from "../support/stain.ts";

type Port = "transaction" | "session";

const password = "onlytestsknow";
const namesOf = (letter: string) => ({
  databaseName: `proj_${letter.repeat(20)}`,
  ownerRole: `own_${letter.repeat(20)}`,
  loginRole: `usr_${letter.repeat(20)}`,
});
const [one, two] = [namesOf("a"), namesOf("b")];
// All that a small database has, at either port.
const { poolSize: backends } = sizeLimits.small;
const turnedAway = /no such user|authentication failed/;

let host: TestHost;
let admin: Client;
let verifier: string;
let tenants: ReturnType<typeof tenantSql>;
let twins: ReturnType<typeof twinSql>;

beforeAll(async () => {
  host = await startTestHost();
  admin = new Client({
    host: join(host.config.directory, "run"),
    ...host.login,
    database: "postgres",
  });
  await admin.connect();
  const run: Query = async (text, values) => {
    const result = await admin.query(text, values === undefined ? undefined : [...values]);
    return (Array.isArray(result) ? result.at(-1) : result).rows;
  };
  const pool: SqlPool = { lend: (use) => use(run), closeIdle: async () => undefined };
  tenants = tenantSql(pool, async () => host.login);
  twins = twinSql(pool, async () => host.login);
  await admin.query(`create role passing password '${password}'`);
  const { rows } = await admin.query("select rolpassword from pg_authid where rolname = 'passing'");
  verifier = rows[0].rolpassword;
  for (const names of [one, two]) await tenants.createDatabase({ ...names, verifier });
  await say(one, "one");
  await say(two, "two");
}, 90_000);

afterAll(async () => {
  await admin?.end();
  await host?.stop();
});

function urlOf(names: typeof one, port: Port = "transaction"): string {
  const { transaction_port, session_port } = host.config.listen;
  const number = port === "transaction" ? transaction_port : session_port;
  return `postgresql://${names.loginRole}:${password}@127.0.0.1:${number}/${names.databaseName}`;
}

async function say(names: typeof one, word: string): Promise<void> {
  await query(urlOf(names, "session"), `create table word as select '${word}' as word`);
}

/** Runs `work` with as many clients as there are backends. */
async function withClients<Result>(
  url: string,
  work: (clients: readonly Client[]) => Promise<Result>,
): Promise<Result> {
  const clients = await Promise.all(Array.from({ length: backends }, () => connected(url)));
  return work(clients).finally(() => Promise.all(clients.map((client) => client.end())));
}

const clean = (names: typeof one) => ({
  acting: names.ownerRole,
  login: names.loginRole,
  place: names.databaseName,
  path: '"$user", public',
  zone: "UTC",
  timeout: "0",
  own: null,
  ...{ prepared: 0, cursors: 0, tables: 0, locks: 0, channels: 0 },
});

async function expectClean(names: typeof one, port: Port): Promise<void> {
  const traces = await withClients(urlOf(names, port), tracesIn);
  for (const trace of traces) expect(trace).toEqual(clean(names));
}

describe.each(["transaction", "session"] as const)("at the %s port", (port) => {
  test("no backend knows what another tenant's sessions left behind", async () => {
    await withClients(urlOf(one, port), async (stained) => {
      await stain(stained);
      const traces = await tracesIn(stained);
      for (const trace of traces)
        expect(trace).toMatchObject({ acting: one.loginRole, cursors: 1 });
      await expectClean(two, port);
    });
    await expectClean(two, port);
  });

  test("a name that both prepared means to each what it prepared", async () => {
    const ask = async (names: typeof one, word: string) =>
      withClients(urlOf(names, port), async (clients) => {
        const text = `select '${word}' as word`;
        for (let round = 0; round < 20; round++) {
          const results = clients.map((client) => client.query({ name: "same", text }));
          for (const { rows } of await Promise.all(results)) expect(rows).toEqual([{ word }]);
        }
      });
    await Promise.all([ask(one, "mine"), ask(two, "yours")]);
  });

  test("a lock that one tenant holds is free to another", async () => {
    const holder = await connected(urlOf(one, port));
    const other = await connected(urlOf(two, port));
    const lock = `select pg_try_advisory_xact_lock(${stainedKey + 1}) as has_it`;
    await holder.query("begin");
    expect((await holder.query(lock)).rows).toEqual([{ has_it: true }]);
    expect((await other.query(lock)).rows).toEqual([{ has_it: true }]);
    await Promise.all([holder.end(), other.end()]);
  });
});

test("a notification stays in its database", async () => {
  const heard: (string | undefined)[] = [];
  const listener = await connected(urlOf(two, "session"));
  listener.on("notification", ({ payload }) => heard.push(payload));
  await listener.query("listen same");
  await query(urlOf(one), "notify same, 'theirs'");
  await query(urlOf(two), "notify same, 'mine'");
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
  const renewed = { ...one, loginRole: `usr_${"c".repeat(20)}` };
  const heir = { ...namesOf("d"), databaseName: one.databaseName };

  beforeAll(() => {
    neighbour = startLoad(urlOf(two));
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
    const old = startLoad(urlOf(one));
    await goesOn(old);
    await withClients(urlOf(one), stain);
    await tenants.createLogin({ ...renewed, verifier });
    const current = startLoad(urlOf(renewed));
    await goesOn(current);
    await tenants.dropLogin(one);
    await goesOn(current);
    const [oldHeard, heard] = await Promise.all([old.stop(), current.stop()]);
    expect([...oldHeard.words, ...heard.words]).toEqual(["one", "one"]);
    expect([...heard.errors]).toEqual([]);
    await expectClean(renewed, "transaction");
    await expect(query(urlOf(one), "select 1")).rejects.toThrow(turnedAway);
  });

  test("a database in the place of another knows nothing of the first", async () => {
    const { databaseName: live, ownerRole } = one;
    const [twin, aside] = [`proj_${"e".repeat(20)}`, `proj_${"f".repeat(20)}`];
    await twins.createTwin(twin, ownerRole);
    await say({ ...renewed, databaseName: twin }, "new");
    const load = startLoad(urlOf(renewed));
    await goesOn(load);
    await withClients(urlOf(renewed), stain);
    expect((await host.command("database.swap", { live, twin, aside })).status).toBe(200);
    await expectClean(renewed, "transaction");
    const later = startLoad(urlOf(renewed));
    await Promise.all([goesOn(later), goesOn(load)]);
    expect([...(await later.stop()).words]).toEqual(["new"]);
    expect([...(await load.stop()).words]).toEqual(["one", "new"]);
    await twins.dropTwin(aside);
  });

  test("who gets a name after a drop meets nothing and nobody of before", async () => {
    const load = startLoad(urlOf(renewed));
    await goesOn(load);
    await tenants.dropDatabase(renewed);
    await tenants.createDatabase({ ...heir, verifier });
    await say(heir, "heir");
    const inherited = startLoad(urlOf(heir));
    await goesOn(inherited);
    await expectClean(heir, "transaction");
    const [before, after] = await Promise.all([load.stop(), inherited.stop()]);
    expect([...before.words]).toEqual(["new"]);
    expect([...after.words]).toEqual(["heir"]);
    expect([...after.errors]).toEqual([]);
    await expect(query(urlOf(renewed), "select 1")).rejects.toThrow(turnedAway);
  });

  test("and a neighbour notices nothing of it all", async () => {
    const { words, errors } = await neighbour.stop();
    expect([...words]).toEqual(["two"]);
    expect([...errors]).toEqual([]);
    await expectClean(two, "transaction");
  });
});
