// Instances behind real poolers: they sleep, wake for who has logged in, and are exchanged while
// clients stay connected.
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { endNow } from "../../host/base/running.ts";
import { cloneInstance } from "../../host/instance/clone.ts";
import { fleetPlaces } from "../../host/instance/fleet.ts";
import { readIdentifier } from "../../host/instance/identity.ts";
import { type Keeper, openKeeper } from "../../host/instance/keeper.ts";
import { platformSession } from "../../host/instance/session.ts";
import { verifierOf } from "../../host/instance/verifier.ts";
import { createPooler, type Pooler } from "../../host/pooler/pooler.ts";
import type { Line } from "../../host/pooler/render.ts";
import { createPoolerState } from "../../host/pooler/state.ts";
import { makePair } from "../support/certificate.ts";
import { until } from "../support/client.ts";
import { openTestFleet, small } from "../support/fleet.ts";
import { freePort } from "../support/port.ts";

interface Tenant {
  readonly name: string;
  readonly login: string;
  readonly password: string;
}

let fleet: Awaited<ReturnType<typeof openTestFleet>>;
let keeper: Keeper;
let pooler: Pooler;
let port: number;
const lines: Line[] = [];

async function addTenant(name: string): Promise<Tenant> {
  const [login, password] = [`usr_${name}`, randomBytes(24).toString("base64url")];
  const verifier = await verifierOf(password, 4096);
  await keeper.make({ name, database: name, login, verifier, size: small });
  lines.push({
    database: name,
    inside: name,
    link: keeper.linkOf(name),
    limits: { poolSize: 4, clientsMax: 100 },
    users: [{ name: login, verifier }],
    allowedNetworks: [],
  });
  await pooler.apply(lines);
  return { name, login, password };
}

beforeAll(async () => {
  fleet = await openTestFleet();
  port = await freePort();
  const password = randomBytes(24).toString("base64url");
  keeper = await openKeeper(fleet.fleet, async (name) => {
    const state = createPoolerState(pooler.console, pooler.console);
    await state.pause(name);
    return () => state.resume(name);
  });
  const { instances, links, bells } = fleetPlaces(fleet.fleet);
  pooler = createPooler({
    binaries: fleet.fleet.binaries,
    directory: join(fleet.fleet.directory, "pooler"),
    uid: fleet.fleet.firstUid === null ? null : fleet.fleet.firstUid + 50_000,
    mode: "transaction",
    address: "127.0.0.1",
    port,
    clientsMax: 500,
    certificate: makePair(fleet.fleet.directory, "pooler"),
    requiresTls: false,
    console: { name: "miosa", password, verifier: await verifierOf(password) },
    reachable: [instances, links, bells],
  });
  await pooler.start(lines);
});
afterAll(async () => {
  keeper?.close();
  await pooler?.stop();
  await fleet?.remove();
});

async function connect({ name, login, password }: Tenant): Promise<Client> {
  const client = new Client({ host: "127.0.0.1", port, user: login, password, database: name });
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

const isAwake = ({ name }: Tenant) => keeper.roster.get(name).server !== undefined;

describe("an instance that sleeps", () => {
  let tenant: Tenant;
  beforeAll(async () => {
    tenant = await addTenant("proj_test_sleeper");
  });

  test("has no process, and wakes for who logs in", async () => {
    const client = await connect(tenant);
    await client.query("create table t as select 7 as n");
    await client.end();
    const { server } = keeper.roster.get(tenant.name);
    await keeper.sleep(tenant.name);
    expect([server !== undefined, isAwake(tenant)]).toEqual([true, false]);
    const next = await connect(tenant);
    expect((await next.query("select n from t")).rows).toEqual([{ n: 7 }]);
    await next.end();
    expect(isAwake(tenant)).toBe(true);
  });

  test("wakes for nobody with a wrong name, password or database", async () => {
    await keeper.sleep(tenant.name);
    const wrong = [
      { ...tenant, password: "wrong" },
      { ...tenant, login: "usr_nobody" },
      { ...tenant, name: "proj_test_nowhere" },
    ];
    for (const each of wrong) await expect(connect(each)).rejects.toThrow();
    expect(isAwake(tenant)).toBe(false);
  });

  test("serves a client that stayed connected, again and again, with no error", async () => {
    const client = await connect(tenant);
    for (let round = 0; round < 5; round++) {
      await keeper.sleep(tenant.name);
      expect(isAwake(tenant)).toBe(false);
      expect((await client.query("select n from t")).rows).toEqual([{ n: 7 }]);
    }
    await client.end();
  });

  test("serves all of twenty who come at once", async () => {
    await keeper.sleep(tenant.name);
    const clients = await Promise.all(Array.from({ length: 20 }, () => connect(tenant)));
    const answers = await Promise.all(clients.map((client) => client.query("select n from t")));
    expect(answers.map(({ rows }) => rows[0]?.n)).toEqual(Array(20).fill(7));
    await Promise.all(clients.map((client) => client.end()));
  });

  test("is put to sleep under load, and nobody sees an error", async () => {
    const clients = await Promise.all(Array.from({ length: 4 }, () => connect(tenant)));
    let isOver = false;
    const load = clients.map(async (client) => {
      let count = 0;
      while (!isOver) {
        await client.query("select n from t");
        count++;
      }
      return count;
    });
    for (let round = 0; round < 5; round++) await keeper.sleep(tenant.name);
    isOver = true;
    for (const count of await Promise.all(load)) expect(count).toBeGreaterThan(0);
    await Promise.all(clients.map((client) => client.end()));
  });
});

describe("a copy of an instance that works", () => {
  let tenant: Tenant;
  beforeAll(async () => {
    tenant = await addTenant("proj_test_copied");
  });

  async function cloneOf({ name }: Tenant, copy: string) {
    const { record } = keeper.roster.get(name);
    await keeper.adopt(await cloneInstance(fleet.fleet, record, { name: copy, slot: record.slot }));
  }

  test("takes the place of its source while clients stay, and gives it back", async () => {
    const client = await connect(tenant);
    await client.query("create table t (n int)");
    await client.query("insert into t values (1)");
    await cloneOf(tenant, "proj_test_copied.1");
    await client.query("insert into t values (2)");
    await keeper.replace(tenant.name, "proj_test_copied.1");
    expect((await client.query("select n from t order by n")).rows).toEqual([{ n: 1 }]);
    await client.query("insert into t values (3)");
    expect(isAwake(tenant)).toBe(false);
    await keeper.start(tenant.name);
    await keeper.replace(tenant.name, tenant.name);
    expect((await client.query("select n from t order by n")).rows).toEqual([{ n: 1 }, { n: 2 }]);
    await client.end();
  });

  test("is whole, whatever was written while it was made", async () => {
    const client = await connect(tenant);
    await client.query("create table ledger (n int primary key, half int)");
    let isOver = false;
    let written = 0;
    const load = (async () => {
      const writer = await connect(tenant);
      while (!isOver) {
        const [n, m] = [2 * written, 2 * written + 1];
        await writer.query(`insert into ledger values (${n}, ${m}), (${m}, ${n})`);
        written++;
        if (written % 50 === 0) await writer.query("update ledger set half = half");
      }
      await writer.end();
    })();
    await until(
      "a load",
      async () => written,
      (count) => count > 20,
    );
    const before = written;
    await cloneOf(tenant, "proj_test_copied.2");
    isOver = true;
    await load;
    const { place } = keeper.roster.box("proj_test_copied.2");
    const session = platformSession(fleet.fleet, place, tenant.name, tenant.name);
    const [row] = await session.query<{ count: number; max: number; pairs: number }>(`
      select count(*)::int as count, max(l.n)::int as max, count(o.n)::int as pairs
      from public.ledger l left join public.ledger o on o.n = l.half`);
    expect(row?.count).toBe((row?.max ?? 0) + 1);
    expect(row?.pairs).toBe(row?.count);
    expect(row?.count).toBeGreaterThanOrEqual(2 * before);
    await session.close();
    await client.end();
    expect(readIdentifier(place.box)).not.toBe(
      readIdentifier(keeper.roster.box(tenant.name).place.box),
    );
  });
});

describe("an instance that is stopped", () => {
  test("wakes for nobody, and serves again once it is started", async () => {
    const tenant = await addTenant("proj_test_stopped");
    await keeper.stop(tenant.name);
    await expect(connect(tenant).then((client) => client.query("select 1"))).rejects.toThrow();
    expect(isAwake(tenant)).toBe(false);
    await keeper.start(tenant.name);
    const client = await until(
      "a login",
      () => connect(tenant).catch(() => null),
      (found) => found !== null,
    );
    expect((await client?.query("select 1 as one"))?.rows).toEqual([{ one: 1 }]);
    await client?.end();
  });
});

describe("a host program that comes anew", () => {
  test("takes over what runs, wakes what sleeps, and starts what was killed", async () => {
    const [awake, asleep, killed] = [
      await addTenant("proj_test_awake"),
      await addTenant("proj_test_asleep"),
      await addTenant("proj_test_dead"),
    ];
    await keeper.sleep(asleep.name);
    const before = keeper.roster.get(awake.name).server;
    keeper.close();
    const victim = keeper.roster.get(killed.name).server;
    if (victim !== undefined) await endNow(victim);
    keeper = await openKeeper(fleet.fleet, async () => async () => undefined);
    expect(keeper.roster.get(awake.name).server).toEqual(before);
    expect(await keeper.revive(killed.name)).toBe(true);
    for (const tenant of [awake, asleep, killed]) {
      const client = await connect(tenant);
      expect((await client.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
      await client.end();
    }
  });

  test("removes one with all that is of it", async () => {
    const tenant = await addTenant("proj_test_removed");
    await keeper.remove(tenant.name);
    const { instances } = fleetPlaces(fleet.fleet);
    expect(readdirSync(instances)).not.toContain(tenant.name);
    const running = readdirSync("/proc").filter((pid) => /^\d+$/.test(pid));
    const words = running.map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8");
      } catch {
        return "";
      }
    });
    expect(words.some((text) => text.includes(tenant.name))).toBe(false);
  });
});
