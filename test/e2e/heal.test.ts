// A server that lives but lets nobody in: halted, or told to stop while a client keeps it. It is
// told of while it lasts, healed by itself, and leaves an alert.
import type { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { call, connected, createProject, query, until } from "../support/client.ts";
import { postgresOf } from "../support/operator.ts";
import { kill } from "../support/process.ts";
import { type OwnSystem, type Program, startSystem } from "../support/system.ts";

// What a cron run tells is waited for.
const cronSeconds = 2;
let system: OwnSystem;
// biome-ignore lint/suspicious/noExplicitAny: tests read whatever JSON came.
let database: any;
let urls: readonly [transaction: string, session: string];
const clients: Client[] = [];

beforeAll(async () => {
  system = await startSystem({ cronSeconds });
  ({ database } = await createProject(system));
  const { body } = await call(system, "GET", `/databases/${database.id}/credentials`);
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
    (await call(system, "GET", `/databases/${database.id}`)).body?.data?.connection_test;
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

test.each([
  ["SIGSTOP", /halted/],
  ["SIGKILL", /ended by itself/],
  ["SIGTERM", /stop|ended by itself/],
] as const)(
  "a Postgres that was sent %s serves again, and is told of",
  async (signal, words) => {
    const session = await connected(urls[1]);
    clients.push(session);
    kill(postgresOf(system, database.database)?.pid ?? 0, signal);
    await untilHealed();
    const alerts = () => alertsOf("server_failed", `/${database.database}`);
    await until("an alert", alerts, (found) => found.some((text) => words.test(text)), 60);
  },
  240_000,
);

test("a Worker whose runtime was started again leaves an alert", async () => {
  const before = system.pid("workerd");
  kill(before);
  const renewed = async () => system.pid("workerd");
  await until("another process", renewed, (pid) => pid !== before, 60);
  await untilHealed();
  const alerts = () => alertsOf("worker_restarted", "worker");
  await until("an alert", alerts, (found) => found.length > 0, 60);
});
