// The edge's driver as it comes, pointed at a cluster by its documented configuration.
import { Client, neon, neonConfig, Pool, types } from "@neondatabase/serverless";
import { beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { call, createProject, operatorQuery, query, until } from "../support/client.ts";
import { system } from "../support/shared-system.ts";

let url: string;
let sessionUrl: string;

beforeAll(async () => {
  const { host } = new URL(system.dev().host_url);
  neonConfig.fetchEndpoint = () => `http://${host}/sql`;
  neonConfig.wsProxy = (name, port) => `${host}/v2?address=${name}:${port}`;
  neonConfig.useSecureWebSocket = false;
  // Otherwise it sends the password as it is, before anybody asks for it.
  neonConfig.pipelineConnect = false;
  neonConfig.webSocketConstructor = WebSocket;
  const { database } = await createProject(system);
  url = database.database_url;
  const session = new URL(url);
  session.port = String(system.dev().ports.session);
  sessionUrl = session.href;
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
    wrong.password = "wrong";
    expect(String(await failure(neon(wrong.href)`select 1`))).toMatch(/password|SASL/);
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
    const large = sql`select repeat('x', 1000000) from generate_series(1, 60)`;
    expect(await failure(large)).toMatchObject({
      code: "54000",
      message: expect.stringMatching(/DATABASE_URL/),
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
      [{}, "{}", /Neon-Connection-String/],
      [{ "Neon-Connection-String": "postgresql://x" }, "{}", /names no user/],
      [login, "no", /not JSON/],
      [login, "{}", /queries/],
      [{ ...login, "Neon-Batch-Isolation-Level": "x" }, '{"queries":[{"query":"x"}]}', /Isolation/],
    ] as const) {
      const { status, text } = await ask(headers, body);
      expect({ status, text }).toEqual({ status: 400, text: expect.stringMatching(words) });
      expect(text).not.toContain(new URL(url).password);
    }
  });

  test("a database that is stopped says so, and one that sleeps wakes", async () => {
    const { database } = await createProject(system, { name: "Sleeper" });
    const sql = neon(database.database_url);
    await call(system, "POST", `/databases/${database.id}/stop`);
    expect(String(await failure(sql`select 1`))).toMatch(/disabled|not currently accepting/);
    await call(system, "POST", `/databases/${database.id}/start`);
    expect(await sql`select 1 as n`).toEqual([{ n: 1 }]);
  });
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
    for (const address of ["127.0.0.1:5432", "localhost:22", "postgres", ""]) {
      const { host } = new URL(system.dev().host_url);
      const socket = new WebSocket(`ws://${host}/v2?address=${address}`);
      const status = await new Promise((resolve) => {
        socket.on("unexpected-response", (_, { statusCode }) => resolve(statusCode));
        socket.on("open", () => resolve(101));
      });
      expect(status).toBe(403);
    }
  });
});
