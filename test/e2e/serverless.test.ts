// The edge's driver as it comes, pointed at a host by its documented configuration.
import { Client, neon, neonConfig, Pool, types } from "@neondatabase/serverless";
import { beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { call, createProject, query, until } from "../support/client.ts";
import { operatorQuery } from "../support/operator.ts";
import { system } from "../support/shared-system.ts";

let url: string;
let sessionUrl: string;
let endpoint: string;

/** As the README says. */
function configure(httpUrl: string): void {
  const { host, protocol } = new URL(httpUrl);
  neonConfig.fetchEndpoint = httpUrl;
  neonConfig.wsProxy = `${host}/v2`;
  neonConfig.useSecureWebSocket = protocol === "https:";
  // Otherwise it sends the password as it is, before anybody asks for it.
  neonConfig.pipelineConnect = false;
  neonConfig.webSocketConstructor = WebSocket;
}

beforeAll(async () => {
  const { project } = await createProject(system);
  const path = `/projects/${project.id}/environments/production/boot-env`;
  const { env } = (await call(system, "GET", path)).body.data;
  url = env.DATABASE_URL;
  sessionUrl = env.DATABASE_URL_SESSION;
  endpoint = env.DATABASE_HTTP_URL;
  configure(endpoint);
});

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable("it has succeeded"),
    (error: Readonly<Record<string, unknown>>) => error,
  );

describe("over HTTP", () => {
  test("values come as what they are", async () => {
    const sql = neon(url);
    const [row] = await sql`
      select ${1}::int as int, ${"a'b"}::text as text, ${null}::text as nothing,
        ${true}::bool as yes, ${[1, 2, 3]}::int[] as list,
        ${JSON.stringify({ deep: [1, null] })}::jsonb as json,
        ${new Date(0)}::timestamptz as moment, 1.50::numeric as numeric, 9007199254740993 as big,
        ${Buffer.from([0, 255])}::bytea as bytes`;
    expect(row).toMatchObject({
      ...{ int: 1, text: "a'b", nothing: null, yes: true, list: [1, 2, 3] },
      ...{ json: { deep: [1, null] }, numeric: "1.50", big: "9007199254740993" },
    });
    expect(row?.moment).toEqual(new Date(0));
    expect([...(row?.bytes ?? [])]).toEqual([0, 255]);
  });

  test("odd names and letters are what they are", async () => {
    const sql = neon(url);
    const odd = "E'\\u0001\\u2028é🐘\"\\\\'";
    const [row] = await sql.query(`select ${odd} as odd, '{}'::int[] as empty`);
    expect(row).toEqual({ odd: '\u0001\u2028é🐘"\\', empty: [] });
    const body = JSON.stringify({ query: `select 1 as "__proto__", 2 as n, 3 as n` });
    const headers = { "neon-connection-string": url };
    const answer = await fetch(endpoint, { method: "POST", headers, body });
    expect(await answer.text()).toContain(`"rows":[{"__proto__":"1","n":"3"}]`);
  });

  test("rows come as lists, and with what is known of them", async () => {
    const whole = neon(url, { arrayMode: true, fullResults: true });
    const result = await whole`select n, 'x' as n from generate_series(1, 2) as n`;
    expect(result).toMatchObject({
      command: "SELECT",
      rowCount: 2,
      rows: [
        [1, "x"],
        [2, "x"],
      ],
    });
    expect(result.fields.map(({ dataTypeID }) => dataTypeID)).toEqual([
      types.builtins.INT4,
      types.builtins.TEXT,
    ]);
  });

  test("a transaction is whole or nothing, and what it says it is", async () => {
    const sql = neon(url);
    await sql`create table account (id int primary key, balance int check (balance >= 0))`;
    await sql`insert into account values (1, 10), (2, 0)`;
    const move = (amount: number) =>
      sql.transaction([
        sql`update account set balance = balance + ${amount} where id = 2`,
        sql`update account set balance = balance - ${amount} where id = 1`,
        sql`select sum(balance)::int as sum from account`,
      ]);
    expect((await move(4)).at(-1)).toEqual([{ sum: 10 }]);
    expect(await failure(move(7))).toMatchObject({
      code: "23514",
      constraint: "account_balance_check",
    });
    expect(await sql`select balance from account order by id`).toEqual([
      { balance: 6 },
      { balance: 4 },
    ]);
    const options = { isolationLevel: "Serializable", readOnly: true, deferrable: true } as const;
    const [levels] = await sql.transaction(
      [sql`select current_setting('transaction_isolation') as level`],
      options,
    );
    expect(levels).toEqual([{ level: "serializable" }]);
    const write = sql.transaction([sql`insert into account values (3, 0)`], options);
    expect(await failure(write)).toMatchObject({ code: "25006" });
  });

  test("what is wrong is told with its SQLSTATE, and where it is", async () => {
    const sql = neon(url);
    expect(await failure(sql`select nothing`)).toMatchObject({ code: "42703", position: "8" });
    expect(await failure(sql.query("select 1; select 2"))).toMatchObject({ code: "42601" });
    expect(await failure(sql`select 1 / 0`)).toMatchObject({ code: "22012", severity: "ERROR" });
  });

  test("nobody enters without the password, or another's database with it", async () => {
    const wrong = new URL(url);
    wrong.password = "certainly-not-it";
    const refused = await failure(neon(wrong.href)`select 1`);
    expect(refused).toMatchObject({ code: "28P01" });
    expect(JSON.stringify(refused)).not.toContain(wrong.password);
    const other = new URL((await createProject(system)).database.database_url);
    const foreign = new URL(url);
    foreign.pathname = other.pathname;
    await failure(neon(foreign.href)`select 1`);
    for (const name of ["postgres", "template1", "pgbouncer"]) {
      foreign.pathname = `/${name}`;
      await failure(neon(foreign.href)`select 1`);
    }
  });

  test("a statement ends when whoever asked is gone", async () => {
    const asked = new AbortController();
    const signal = asked.signal;
    const slow = neon(url, { fetchOptions: { signal } })`select 'slow', pg_sleep(60)`;
    const running = () =>
      operatorQuery(
        system,
        new URL(url).pathname.slice(1),
        `select pid from pg_stat_activity where query like 'select ''slow''%' and state = 'active'`,
      );
    const refused = failure(slow);
    await until("It runs", running, ({ length }) => length === 1);
    asked.abort();
    await refused;
    await until("Its end", running, ({ length }) => length === 0);
  });

  test("an answer that is too large is refused with words", async () => {
    const sql = neon(url);
    const large = sql`select repeat('x', 1000000) from generate_series(1, 80)`;
    expect(await failure(large)).toMatchObject({
      code: "54000",
      message: expect.stringMatching(/ask for less/),
    });
  });

  test("a bad request names what is wrong with it", async () => {
    const ask = async (headers: Record<string, string>, body: string) => {
      const response = await fetch(`${system.dev().host_url}/sql`, {
        method: "POST",
        headers,
        body,
      });
      return { status: response.status, text: await response.text() };
    };
    const login = { "Neon-Connection-String": url };
    for (const [headers, body, words] of [
      [{}, "{}", /Neon-Connection-String/i],
      [{ "Neon-Connection-String": "postgresql://x" }, "{}", /must be postgresql/],
      [login, "no", /must be JSON/],
      [login, "{}", /query: /],
      [
        { ...login, "Neon-Batch-Isolation-Level": "x" },
        '{"queries":[{"query":"x"}]}',
        /Isolation-Level/,
      ],
    ] as const) {
      const { status, text } = await ask(headers, body);
      expect({ status, text }).toEqual({ status: 400, text: expect.stringMatching(words) });
      expect(text).not.toContain(new URL(url).password);
    }
  });

  test("a database that is stopped says so until it is started", async () => {
    const { database } = await createProject(system, { name: "Sleeper" });
    const sql = neon(database.database_url);
    await call(system, "POST", `/databases/${database.id}/stop`);
    expect(String(await failure(sql`select 1`))).toMatch(/disabled|not currently accepting/);
    await call(system, "POST", `/databases/${database.id}/start`);
    expect(await sql`select 1 as n`).toEqual([{ n: 1 }]);
  });
});

test("an address that a database does not allow is refused over HTTP and WebSocket", async () => {
  const { database } = await createProject(system, { name: "Guarded" });
  const allow = (list: string[]) =>
    call(system, "PATCH", `/databases/${database.id}`, { body: { allowed_addresses: list } });
  const sql = neon(database.database_url);
  const viaWebSocket = async () => {
    const client = new Client(database.database_url);
    await client.connect();
    const { rows } = await client.query("select 1 as n").finally(() => client.end());
    return rows;
  };
  await allow(["203.0.113.0/24"]);
  await until(
    "The rule",
    () => failure(sql`select 1`),
    ({ code }) => code === "08P01",
  );
  await expect(viaWebSocket()).rejects.toThrow(/does not allow this address/);
  await allow(["127.0.0.0/8"]);
  await until(
    "The rule",
    () => sql`select 1 as n`.catch(() => []),
    ({ length }) => length === 1,
  );
  expect(await viaWebSocket()).toEqual([{ n: 1 }]);
});

test("a flood of one tenant's requests leaves another's answered", async () => {
  const { database } = await createProject(system, { name: "Flooding" });
  const flooding = neon(database.database_url);
  const flood = Array.from({ length: 700 }, () => flooding`select pg_sleep(0.2)`.catch(() => []));
  let isOver = false;
  const all = Promise.all(flood).then(() => {
    isOver = true;
  });
  const sql = neon(url);
  for (let n = 0; n < 10; n++) expect(await sql`select ${n}::int as n`).toEqual([{ n }]);
  expect(isOver).toBe(false);
  await all;
});

test("what a request leaves behind, no other finds", async () => {
  const sql = neon(url);
  const own = await sql.transaction([
    sql`select set_config('app.tenant', 'mine', false) as value`,
    sql`create temp table left_behind (n int)`,
    sql`prepare left_prepared as select 1`,
  ]);
  expect(own[0]).toEqual([{ value: "mine" }]);
  const { database } = await createProject(system, { name: "Beside" });
  const beside = neon(database.database_url);
  const look = (ask: typeof sql) =>
    ask`select coalesce(current_setting('app.tenant', true), '') as value,
      (select count(*)::int from pg_prepared_statements where name = 'left_prepared') as prepared,
      to_regclass('pg_temp.left_behind')::text as temp`;
  const found = await Promise.all(Array.from({ length: 50 }, () => look(beside)));
  for (const [row] of found) expect(row).toEqual({ value: "", prepared: 0, temp: null });
});

describe("over WebSocket", () => {
  test("a pool of clients works as over TCP", async () => {
    const pool = new Pool({ connectionString: url });
    const many = Array.from({ length: 20 }, (_, n) => pool.query("select $1::int as n", [n]));
    const found = (await Promise.all(many)).map(({ rows }) => rows[0].n);
    expect(found).toEqual(Array.from({ length: 20 }, (_, n) => n));
    await pool.end();
  });

  test("a client holds a transaction, and hears notices on the session port", async () => {
    const client = new Client(sessionUrl);
    const heard: unknown[] = [];
    // The driver's types leave out this event of the class it extends.
    const events: NodeJS.EventEmitter = client as never;
    events.on("notification", ({ payload }) => heard.push(payload));
    await client.connect();
    await client.query("listen news");
    await client.query("begin");
    await client.query("create table draft (n int)");
    await client.query("rollback");
    await query(sessionUrl, "notify news, 'hello'");
    await until(
      "The news",
      async () => heard,
      ({ length }) => length === 1,
    );
    expect(heard).toEqual(["hello"]);
    const { rows } = await client.query("select to_regclass('draft') as draft");
    expect(rows).toEqual([{ draft: null }]);
    await client.end();
  });

  test("no other address is reached", async () => {
    const console = new URL(url);
    console.pathname = "/pgbouncer";
    await expect(new Client(console.href).connect()).rejects.toThrow("login rejected");
    for (const address of ["127.0.0.1:5432", "localhost:22", "postgres", ""]) {
      const { host } = new URL(endpoint);
      const socket = new WebSocket(`ws://${host}/v2?address=${address}`);
      const status = await new Promise((resolve) => {
        socket.on("unexpected-response", (_, { statusCode }) => resolve(statusCode));
        socket.on("open", () => resolve(101));
      });
      expect(status).toBe(403);
    }
  });
});
