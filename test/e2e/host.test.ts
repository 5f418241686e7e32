// The host program with real Postgres and PgBouncer, as tenants and the control plane meet it.
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { neonConfig, Client as SocketClient } from "@neondatabase/serverless";
import { Client, type ClientConfig } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { defaultSettings } from "../../src/contract/setting.ts";
import { StatusReport } from "../../src/contract/status.ts";
import type { HostAddress } from "../../src/contract/token.ts";
import { startTestHost, type TestHost } from "../support/host.ts";

const password = "a password only tests know";
const tenant = { user: "role_a", password };
const pools = {
  transaction: { pool_size: 2, client_connections_max: 3 },
  session: { pool_size: 2, client_connections_max: 2 },
};

let host: TestHost;

beforeAll(async () => {
  host = await startTestHost();
  neonConfig.webSocketConstructor = WebSocket;
  neonConfig.useSecureWebSocket = false;
  neonConfig.pipelineConnect = false;
  await overSocket("postgres", "postgres", host.login, async (client) => {
    for (const name of ["a", "b", "few"]) {
      await client.query(`create role role_${name} login password '${password}'`);
      await client.query(`create database proj_${name} template miosa_template`);
      await client.query(`revoke all on database proj_${name} from public`);
      await client.query(`grant connect on database proj_${name} to role_${name}`);
    }
  });
}, 90_000);

afterAll(() => host?.stop());

/** Runs `work` on a connection through the WebSocket proxy. */
async function overSocket<T>(
  address: HostAddress,
  database: string,
  login: { user: string; password: string },
  work: (client: SocketClient) => Promise<T>,
): Promise<T> {
  const token = await host.sqlToken(address);
  neonConfig.wsProxy = (name) => `${host.url.slice(7)}/v1?address=${name}&token=${token}`;
  const client = new SocketClient({ ...login, host: address, database });
  client.on("error", () => undefined);
  await client.connect();
  return work(client).finally(() => client.end());
}

/** A tenant's connection through a pooler's TCP port, as `role_a` to `proj_a` unless told. */
async function connect(
  mode: "transaction" | "session",
  options: ClientConfig = {},
): Promise<Client> {
  const port = host.config.listen[`${mode}_port`];
  const client = new Client({
    host: "127.0.0.1",
    port,
    database: "proj_a",
    ...tenant,
    ...options,
  });
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

async function answers(mode: "transaction" | "session", options: ClientConfig = {}) {
  const client = await connect(mode, options);
  const { rows } = await client.query("select $1::int + 1 as n", [41]).finally(() => client.end());
  return rows[0]?.n === 42;
}

describe.each(["transaction", "session"] as const)("the %s pooler", (mode) => {
  test("serves a role and a database made a moment ago, plain and with TLS", async () => {
    expect(await answers(mode)).toBe(true);
    const ca = readFileSync(join(host.config.directory, "tls/ca.crt"), "utf8");
    expect(await answers(mode, { ssl: { ca, servername: "localhost" } })).toBe(true);
  });

  test("serves it through the WebSocket proxy too", async () => {
    const rows = await overSocket(mode, "proj_a", tenant, (client) => client.query("select 1 n"));
    expect(rows.rows).toEqual([{ n: 1 }]);
  });

  test.each(["proj_b", "postgres", "template1", "pgb_auth", "miosa_template", "pgbouncer"])(
    "keeps a tenant out of %s",
    async (database) => {
      await expect(answers(mode, { database })).rejects.toThrow(/permission|rejected|not allowed/);
    },
  );

  test("keeps the platform's roles out, with their right passwords", async () => {
    const secrets = readFileSync(join(host.config.directory, "secret.json"), "utf8");
    const { pooler_password } = JSON.parse(secrets);
    const rejected = /login rejected/;
    await expect(answers(mode, host.login)).rejects.toThrow(rejected);
    await expect(answers(mode, { ...host.login, database: "pgbouncer" })).rejects.toThrow(rejected);
    const pooler = { user: "pgbouncer", password: pooler_password };
    await expect(answers(mode, { ...pooler, database: "pgb_auth" })).rejects.toThrow(rejected);
  });

  test.each(["superuser", "replication", "bypassrls", "valid until '2020-01-01'"])(
    "keeps out a role with %s, whatever its password",
    async (attribute) => {
      await overSocket("postgres", "postgres", host.login, async (client) => {
        await client.query(`create role risky login password '${password}' ${attribute}`);
      });
      await expect(answers(mode, { user: "risky" })).rejects.toThrow(/no such user/);
      await overSocket("postgres", "postgres", host.login, async (client) => {
        await client.query("drop role risky");
      });
    },
  );

  test("lets the control plane's token reach its console", async () => {
    const { rows } = await overSocket(`${mode}-console`, "pgbouncer", host.login, (client) =>
      client.query("SHOW VERSION"),
    );
    expect(rows[0].version).toMatch(/^PgBouncer 1\./);
  });

  test.each(["pgbouncer", "postgres"])("refuses tenants %s on its socket", async (database) => {
    const attempt = overSocket(`${mode}-console`, database, tenant, (c) => c.query("select 1"));
    await expect(attempt).rejects.toThrow(/login rejected|not allowed/);
  });
});

describe("limits", () => {
  const few = { user: "role_few", database: "proj_few" };

  async function connectMany(count: number) {
    const attempts = Array.from({ length: count }, () => connect("transaction", few));
    const results = await Promise.allSettled(attempts);
    const clients = results.flatMap((result) =>
      result.status === "fulfilled" ? [result.value] : [],
    );
    return { clients, refused: results.find((result) => result.status === "rejected")?.reason };
  }

  test("of a database are the small size's, until it has its own, and again after", async () => {
    const { clients, refused } = await connectMany(101);
    expect(clients).toHaveLength(100);
    expect(refused.message).toMatch(/max_db_client_connections/);

    const kept = clients.slice(0, 2);
    await Promise.all(clients.slice(2).map((client) => client.end()));
    const settings = { ...defaultSettings, ...pools };
    const own = { database: "proj_few", settings };
    expect((await host.command("database.configure", own)).status).toBe(200);
    const usual = { database: "proj_few", settings: defaultSettings };
    expect((await host.command("database.configure", usual)).status).toBe(200);
    for (const client of kept) expect((await client.query("select 1 n")).rows).toEqual([{ n: 1 }]);
    expect((await host.command("database.configure", own)).status).toBe(200);
    await Promise.all(kept.map((client) => client.end()));

    const limited = await connectMany(5);
    expect(limited.clients).toHaveLength(3);
    await Promise.all(limited.clients.map((client) => client.end()));
    expect((await host.command("database.forget", { database: "proj_few" })).status).toBe(200);
    const free = await connectMany(20);
    expect(free.clients).toHaveLength(20);
    await Promise.all(free.clients.map((client) => client.end()));
  });
});

describe("a session that holds up the queue of NOTIFY", () => {
  test("is ended once a tenth of it is used, so that nobody's NOTIFY fails", async () => {
    const listener = await connect("session", { user: "role_a", database: "proj_a" });
    const ended = expect(once(listener, "end")).rejects.toThrow("administrator command");
    await listener.query("listen flood");
    await listener.query("begin");
    const notifier = await connect("transaction", { user: "role_b", database: "proj_b" });
    const used = async () => {
      const text = "select pg_notification_queue_usage() as used";
      return Number((await notifier.query(text)).rows[0].used);
    };
    // Distinct texts: the same one twice is told once.
    const flood =
      "select pg_notify('flood', n || repeat('x', 7900)) from generate_series(1, 400) n";
    while ((await used()) < 0.1) await notifier.query(flood);
    await ended;
    await notifier.query(flood);
    await expect.poll(used, { timeout: 20_000 }).toBeLessThan(0.1);
    await notifier.end();
  });
});

describe("the host program", () => {
  test("reports its host", async () => {
    const response = await host.command("status", {});
    const body = (await response.json()) as { report: unknown };
    const report = StatusReport.parse(body.report);
    expect(Number.parseInt(report.postgres_version, 10)).toBeGreaterThanOrEqual(17);
    expect(report).toMatchObject({
      databases_max: 300,
      max_connections: report.backends_max + 100,
    });
  });

  test.each(["postgres", "transaction", "session"] as const)(
    "starts %s again after kill -9",
    async (program) => {
      const pid = host.pid(program);
      process.kill(pid, "SIGKILL");
      const isBack = async () => (await host.isHealthy()) && host.pid(program) !== pid;
      await expect.poll(isBack, { timeout: 10_000 }).toBe(true);
      expect(await answers("transaction")).toBe(true);
      expect(await answers("session")).toBe(true);
    },
  );

  test("leaves its servers running when it is killed, and adopts them when it starts", async () => {
    const client = await connect("session");
    const pids = (["postgres", "transaction", "session"] as const).map(host.pid);
    await host.crash();
    expect((await client.query("select 1 n")).rows).toEqual([{ n: 1 }]);
    await host.start();
    expect((["postgres", "transaction", "session"] as const).map(host.pid)).toEqual(pids);
    expect((await client.query("select 2 n")).rows).toEqual([{ n: 2 }]);
    await client.end();
  });

  test("comes up with all data after everything was killed at once", async () => {
    const pids = (["postgres", "transaction", "session"] as const).map(host.pid);
    await host.crash();
    for (const pid of pids) process.kill(pid, "SIGKILL");
    await host.start();
    expect(await answers("transaction")).toBe(true);
  });

  test("writes no password and no tenant's statement into a log", async () => {
    await overSocket("postgres", "postgres", host.login, async (client) => {
      const doomed = client.query(`create role role_a login password '${password}'`);
      await expect(doomed).rejects.toThrow(/already exists/);
    });
    const { directory } = host.config;
    for (const name of readdirSync(join(directory, "log"))) {
      const text = readFileSync(join(directory, "log", name), "utf8");
      expect(text).not.toContain(password);
      expect(text).not.toContain(host.login.password);
    }
  });
});
