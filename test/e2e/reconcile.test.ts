// What hands and tenants change in a host is made again what the rows say, by the cron.
import { beforeAll, expect, test } from "vitest";
import { defaultSettings } from "../../src/contract/setting.ts";
import {
  call,
  createProject,
  operatorQuery,
  query,
  tenantObjects,
  until,
} from "../support/client.ts";
import { changeRows } from "../support/d1.ts";
import { command } from "../support/host-command.ts";
import { system } from "../support/shared-system.ts";

// A row settles for half a minute, and the cron comes once a minute.
const looks = 120;
const testMilliseconds = 150_000;
const dayMilliseconds = 86_400_000;

interface Tenant {
  readonly id: string;
  readonly url: string;
  readonly sessionUrl: string;
  readonly name: string;
  readonly login: string;
}

async function createTenant(fields: Readonly<Record<string, unknown>> = {}): Promise<Tenant> {
  const { database } = await createProject(system, fields);
  const url = new URL(database.database_url);
  const sessionUrl = new URL(url);
  sessionUrl.port = String(system.dev().ports.session);
  return {
    id: database.id,
    url: url.href,
    sessionUrl: sessionUrl.href,
    name: url.pathname.slice(1),
    login: url.username,
  };
}

const whoAmI = (url: string) =>
  query(url, "select session_user::text as login, current_user::text as owner").catch(
    (error: Error) => [{ login: error.message, owner: "" }],
  );

const answers = (tenant: Tenant) =>
  until(
    "The URL answers as its owner",
    () => whoAmI(tenant.url),
    ([row]) => row?.login === tenant.login && String(row.owner).startsWith("own_"),
    looks,
  );

const alertsOf = async (query: string) =>
  (await call(system, "GET", `/admin/alerts?limit=100&${query}`)).body.data as {
    readonly kind: string;
    readonly subject: string;
  }[];

let dropped: Tenant;
let barred: Tenant;
let renegade: Tenant;
let opened: Tenant;
let medium: Tenant;

// All of it first: one look of the reconciler finds everything.
beforeAll(async () => {
  dropped = await createTenant();
  barred = await createTenant();
  renegade = await createTenant();
  opened = await createTenant();
  medium = await createTenant({ data: { postgres: { size: "medium" } } });
  await operatorQuery(system, `drop role ${dropped.login}`);
  await operatorQuery(system, `alter role ${barred.login} nologin`);
  await query(
    renegade.sessionUrl,
    `set role none; create schema hidden; create table hidden.kept as select 42 as n;
     alter role current_user set role = none; alter role current_user password 'my own'`,
  );
  await operatorQuery(
    system,
    `grant connect on database ${opened.name} to public;
     grant pg_monitor to ${opened.login};
     alter role ${opened.login} valid until '2001-01-01' connection limit 0`,
  );
  await command(system, "database.configure", {
    database: medium.name,
    settings: defaultSettings,
  });
  await operatorQuery(system, "create database proj_byhand");
  await operatorQuery(system, "create role own_byhand; create role usr_byhand in role own_byhand");
});

test(
  "a login role that was dropped is there again, with its password",
  async () => {
    await answers(dropped);
  },
  testMilliseconds,
);

test(
  "a login role that may not log in may again",
  async () => {
    await answers(barred);
  },
  testMilliseconds,
);

test(
  "what a tenant makes under SET ROLE NONE is its owner's, and its URL answers",
  async () => {
    await answers(renegade);
    const owners = () =>
      query(renegade.url, "select tableowner from pg_tables where tablename = 'kept'");
    const isOwners = ([row]: readonly Record<string, unknown>[]) =>
      String(row?.tableowner).startsWith("own_");
    await until("The table is the owner's", owners, isOwners, looks);
    expect(await query(renegade.url, "select n from hidden.kept")).toEqual([{ n: 42 }]);
  },
  testMilliseconds,
);

test(
  "a database opened to others is closed again, and its login is no more than it was",
  async () => {
    await answers(opened);
    const found = () =>
      operatorQuery(
        system,
        `select datacl::text like '%,=%' as is_open,
         pg_has_role('${opened.login}', 'pg_monitor', 'member') as may_watch
       from pg_database where datname = '${opened.name}'`,
      );
    const isClosed = ([row]: readonly Record<string, unknown>[]) =>
      row?.is_open === false && row.may_watch === false;
    await until("It is closed", found, isClosed, looks);
  },
  testMilliseconds,
);

test(
  "a host that has other settings gets those of the row",
  async () => {
    const settings = async () =>
      (await command(system, "inventory", {})).databases.find(
        ({ database }) => database === medium.name,
      );
    const isMedium = (found: Awaited<ReturnType<typeof settings>>) =>
      found?.settings.transaction.client_connections_max === 200;
    await until("The settings are the row's", settings, isMedium, looks);
  },
  testMilliseconds,
);

test(
  "what no row names is an alert that stands; after days it is put aside, and can be brought back",
  async () => {
    const host = `/admin/hosts/${system.dev().host_id}`;
    const names = ["own_byhand", "proj_byhand", "usr_byhand"];
    const subjects = names.map((name) => `${system.dev().host_id}/${name}`);
    const open = async () =>
      (await alertsOf("kind=orphan"))
        .map(({ subject }) => subject)
        .sort()
        .join();
    const standing = async () => {
      const { databases, roles } = await tenantObjects(system);
      return [...databases, ...roles].filter((name) => name.endsWith("byhand")).sort();
    };
    const trash = async () => (await call(system, "GET", `${host}/trash`)).body.data;
    /** Lets time pass for the alerts, and looks at once. */
    const pass = async (milliseconds: number) => {
      const older = "update alert set created_at = created_at - ? where kind = 'orphan'";
      changeRows(system, older, milliseconds);
      await call(system, "POST", `${host}/reconcile`);
    };
    await until("The alerts are open", open, (found) => found === subjects.join(), looks);
    await pass(dayMilliseconds);
    expect([await standing(), await trash()]).toEqual([names, []]);
    await pass(7 * dayMilliseconds);
    await until("They are put aside", standing, (found) => found.length === 0, looks);
    const items: readonly { name: string; former_name: string }[] = await trash();
    expect(items.map(({ former_name }) => former_name).sort()).toEqual(names);
    for (const { name } of items) {
      expect((await call(system, "POST", `${host}/trash/${name}/restore`)).status).toBe(200);
    }
    expect([await standing(), await trash()]).toEqual([names, []]);
    await until("They are orphans again", open, (found) => found === subjects.join(), looks);
    await pass(8 * dayMilliseconds);
    await until("They are put aside again", standing, (found) => found.length === 0, looks);
    for (const { name } of await trash()) {
      expect((await call(system, "DELETE", `${host}/trash/${name}`)).status).toBe(204);
    }
    expect(await trash()).toEqual([]);
    await until("The alerts are resolved", open, (found) => found === "", looks);
  },
  testMilliseconds,
);

test("nothing is left to alert anybody", async () => {
  // What happened to servers is told for a day; other files halt and kill some.
  const past = ["server_failed", "worker_restarted"];
  const open = await alertsOf("state=open");
  expect(open.filter(({ kind }) => !past.includes(kind))).toEqual([]);
});
