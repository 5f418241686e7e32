// A server that lives but lets nobody in: halted, or told to stop while a client keeps it. It is
// told of while it lasts, healed by itself, and leaves an alert.
import type { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { call, connected, createProject, query, until } from "../support/client.ts";
import { kill } from "../support/process.ts";
import { type OwnSystem, type Program, startSystem } from "../support/system.ts";

// What a cron run tells is waited for.
const cronSeconds = 2;
let system: OwnSystem;
let databaseId: string;
let urls: readonly [transaction: string, session: string];
const clients: Client[] = [];

beforeAll(async () => {
  system = await startSystem({ cronSeconds });
  const { database } = await createProject(system);
  databaseId = database.id;
  const { body } = await call(system, "GET", `/databases/${databaseId}/credentials`);
  urls = [body.data.database_url, body.data.database_url_session];
});

afterAll(async () => {
  for (const client of clients) await client.end().catch(() => undefined);
  await system?.remove();
});

/** What somebody sees who asks now: whole when everything says that all is well. */
async function look() {
  const { root_url } = system.dev();
  const signal = AbortSignal.timeout(1500);
  const ready = await fetch(`${root_url}/readyz`, { signal }).then(
    (response) => response.text(),
    (error: unknown) => `nobody answers: ${error}`,
  );
  return { isWhole: ready.includes('"status":"ready"'), ready };
}

/** Waits until new clients are served again through both poolers and the API says so. */
async function untilHealed(): Promise<void> {
  await until("readiness", look, ({ isWhole }) => isWhole, 60);
  const served = () =>
    Promise.all(urls.map((url) => query(url, "select 1 as one"))).then(
      () => "served",
      (error: unknown) => String(error),
    );
  await until("service", served, (answer) => answer === "served", 60);
  const tested = async () =>
    (await call(system, "GET", `/databases/${databaseId}`)).body?.data?.connection_test;
  await until("the connection test", tested, (said) => said?.status === "ok", 60);
}

/** Alerts about a program, newest text of each. */
async function alertsOf(kind: string, program: string): Promise<readonly string[]> {
  const { body } = await call(system, "GET", `/admin/alerts?kind=${kind}&limit=100`);
  const alerts: readonly { subject: string; message: string }[] = body.data;
  return alerts.filter(({ subject }) => subject.endsWith(program)).map(({ message }) => message);
}

interface Case {
  readonly signal: NodeJS.Signals;
  readonly program: Program;
  /** What `/readyz` calls it meanwhile, and its alerts. */
  readonly name: string;
  readonly words: RegExp;
}

const cases: readonly Case[] = [
  { signal: "SIGSTOP", program: "pgbouncer_transaction", name: "transaction", words: /halted/ },
  { signal: "SIGTERM", program: "pgbouncer_transaction", name: "transaction", words: /to stop/ },
  { signal: "SIGSTOP", program: "pgbouncer_session", name: "session", words: /halted/ },
  { signal: "SIGTERM", program: "pgbouncer_session", name: "session", words: /to stop/ },
  { signal: "SIGSTOP", program: "postgres", name: "postgres", words: /halted/ },
  { signal: "SIGTERM", program: "postgres", name: "postgres", words: /stop|ended by itself/ },
];

describe("a server that was sent", () => {
  test.each(cases)(
    "$signal is healed, and told of: $program",
    async (each) => {
      const { signal, program, name, words } = each;
      for (const url of urls) clients.push(await connected(url));
      kill(system.pid(program), signal);
      const seen = await until("an unready answer", look, ({ isWhole }) => !isWhole, 30);
      expect(seen.ready).toContain(name);
      await untilHealed();
      const alerts = () => alertsOf("server_failed", `/${name}`);
      await until("an alert", alerts, (found) => found.some((text) => words.test(text)), 60);
    },
    240_000,
  );

  test.each(["SIGSTOP", "SIGTERM"] as const)(
    "%s is healed: the host program",
    async (signal) => {
      kill(system.pid("host"), signal);
      await until("an unready answer", look, ({ isWhole }) => !isWhole, 30);
      await untilHealed();
    },
    240_000,
  );

  test.each(["SIGSTOP", "SIGTERM"] as const)(
    "%s is healed: workerd",
    async (signal) => {
      kill(system.pid("workerd"), signal);
      await until("an unready answer", look, ({ isWhole }) => !isWhole, 30);
      await untilHealed();
    },
    240_000,
  );
});

test("a Worker whose runtime was started again leaves an alert", async () => {
  const before = system.pid("workerd");
  kill(before);
  const renewed = async () => system.pid("workerd");
  await until("another process", renewed, (pid) => pid !== before, 60);
  await untilHealed();
  const alerts = () => alertsOf("worker_restarted", "worker");
  await until("an alert", alerts, (found) => found.length > 0, 60);
});

test("a backend that the kernel ends leaves an alert that says all sessions ended", async () => {
  const client = await connected(urls[1]);
  const { rows } = await client.query("select pg_backend_pid() as pid");
  kill(Number(rows[0].pid));
  const alerts = () => alertsOf("server_failed", "/postgres");
  await until("an alert", alerts, (found) => found.some((text) => /session/.test(text)), 60);
  await untilHealed();
}, 240_000);
