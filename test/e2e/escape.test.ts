// A hostile tenant on the real stack: what it says and how it logs in, at every port it is given.
import { type NeonDbError, neon, neonConfig } from "@neondatabase/serverless";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connected, createProject, query } from "../support/client.ts";
import { aimed, listOf, type Target } from "../support/escape/attack.ts";
import { databaseAttacks } from "../support/escape/database.ts";
import { aimedLogin, loginAttacks } from "../support/escape/login.ts";
import { ownStatements } from "../support/escape/own.ts";
import { roleAttacks } from "../support/escape/role.ts";
import { serverAttacks } from "../support/escape/server.ts";
import { settingAttacks } from "../support/escape/setting.ts";
import { operatorQuery } from "../support/operator.ts";
import { system } from "../support/shared-system.ts";

const statements = listOf(serverAttacks, roleAttacks, databaseAttacks, settingAttacks);

interface Urls {
  readonly database_url: string;
  readonly database_url_session: string;
}

let mine: Urls;
let theirs: Urls;
let target: Target;
let victim: Client;
let before: unknown;

beforeAll(async () => {
  neonConfig.fetchEndpoint = new URL("/sql", system.dev().host_url).href;
  [mine, theirs] = await Promise.all([
    createProject(system).then(({ database }) => database),
    createProject(system).then(({ database }) => database),
  ]);
  victim = await connected(theirs.database_url_session);
  await victim.query("create table secret as select 'theirs' as word");
  const { rows } = await victim.query("select pg_backend_pid() as pid");
  target = {
    myDatabase: databaseOf(mine),
    myLogin: loginOf(mine),
    theirDatabase: databaseOf(theirs),
    theirLogin: loginOf(theirs),
    theirPid: String(rows[0].pid),
  };
  before = await shared();
});

afterAll(() => victim?.end());

const databaseOf = ({ database_url: url }: Urls) => new URL(url).pathname.slice(1);
const loginOf = ({ database_url: url }: Urls) => new URL(url).username;

/** All that both instances hold beside what is in their databases. */
async function shared() {
  const names = Object.values(target).map((name) => `'${name}'`);
  const text = `select to_jsonb(r) - 'oid' as fact from pg_authid r where rolname in (${names})
     union all select to_jsonb(d) - '{datfrozenxid,datminmxid}'::text[] from pg_database d
       where datname in (${names})
     union all select to_jsonb(m) from pg_auth_members m
       where member::regrole::text in (${names}) or roleid::regrole::text in (${names})
     union all select to_jsonb(s) from pg_db_role_setting s
     union all select to_jsonb(p) from pg_parameter_acl p order by 1`;
  const of = (database: string) => operatorQuery(system, database, text);
  return [await of(target.myDatabase), await of(target.theirDatabase)];
}

async function attempt(url: string, text: string): Promise<unknown> {
  const client = await connected(url);
  return client.query(text).finally(() => client.end());
}

describe.each(["database_url", "database_url_session"] as const)("at %s is refused", (port) => {
  test.each(statements)("with %s: %s", async (code, text) => {
    await expect(attempt(mine[port], aimed(text, target))).rejects.toMatchObject({ code });
  });

  test.each(loginAttacks)("a login $what", async ({ code, words, login }) => {
    const { hostname: host, port: number, username: user, password } = new URL(mine[port]);
    const client = new Client({
      ...{ host, port: Number(number), user, password, database: target.myDatabase },
      ...aimedLogin(login, target),
    });
    client.on("error", () => undefined);
    const entry = client.connect().then(() => client.query("select 1"));
    await expect(entry.finally(() => client.end())).rejects.toMatchObject({
      code,
      message: expect.stringMatching(words),
    });
  });
});

// Over HTTP each statement is one of its own; what stands between dollars is one.
const statementsIn = (text: string) =>
  (text.match(/(?:\$(\w*)\$[\s\S]*?\$\1\$|'[^']*'|[^;$'])+/g) ?? [])
    .map((each) => each.trim())
    .filter((each) => each !== "" && each !== "begin");

describe("over HTTP is refused", () => {
  const ask = (change: (url: URL) => void, text: string) => {
    const url = new URL(mine.database_url);
    change(url);
    const sql = neon(url.href);
    const all = statementsIn(text);
    return text.includes(";")
      ? sql.transaction(all.map((each) => sql.query(each)))
      : sql.query(text);
  };

  test.each(statements)("with %s: %s", async (code, text) => {
    await expect(ask(() => undefined, aimed(text, target))).rejects.toMatchObject({ code });
  });

  test.each(loginAttacks)("a login $what", async ({ code, words, login }) => {
    const { user, password, database, options } = aimedLogin(login, target);
    const entry = ask((url) => {
      if (options !== undefined) url.searchParams.set("options", options);
      if (user !== undefined) url.username = user;
      if (typeof password === "string") url.password = password;
      if (database !== undefined) url.pathname = `/${database}`;
    }, "select 1");
    const refusal = await entry.then(
      () => expect.unreachable("it was let in"),
      (error: NeonDbError) => error,
    );
    expect(refusal.message).toMatch(words);
    // The poolers have one code for all that they refuse; over HTTP drivers look for this one.
    const isUnknown = /authentication failed|no such user/.test(refusal.message);
    expect(refusal.code).toBe(isUnknown ? "28P01" : code);
  });
});

// What fits better than the catalog's own would be called with the rights of who asks.
test("in no database does the platform find a function of the tenant's", async () => {
  const trap = "returns text language plpgsql as $$ begin raise 'as %', current_user; end $$";
  await query(
    mine.database_url,
    `create function format(text, name, name) ${trap};
     create function lower(name) ${trap};
     create function concat(name, name) ${trap}`,
  );
  const text = `select format('%s%s', a, a) || lower(a) || concat(a, a) as said
    from (values ('X'::name)) as t(a)`;
  await expect(query(mine.database_url, text)).rejects.toThrow(`as ${target.myLogin}`);
  expect(await operatorQuery(system, target.myDatabase, text)).toEqual([{ said: "XXxXX" }]);
});

/** Both work, and the victim's session was never ended. */
async function expectBothWell(): Promise<void> {
  expect((await victim.query("select word from secret")).rows).toEqual([{ word: "theirs" }]);
  expect(await query(mine.database_url, "select 1 as one")).toEqual([{ one: 1 }]);
}

test("nothing of it left a trace", async () => {
  expect(await shared()).toEqual(before);
  await expectBothWell();
});

test.each(ownStatements)("its owner may, and nobody else notices: %s", async (text) => {
  for (const each of aimed(text, target).split("; ")) await attempt(mine.database_url, each);
  await expectBothWell();
});
