// What belongs to a session is lost at the transaction port, in the way the page on connecting
// says, and works at the session port.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Client } from "pg";
import { beforeAll, expect, test } from "vitest";
import { connected, createProject } from "../support/client.ts";
import { system } from "../support/shared-system.ts";

const page = readFileSync(resolve(import.meta.dirname, "../stacks/README.md"), "utf8");

/** What a client leaves in its session, and what it hears when it comes back for it. */
interface Habit {
  /** A row of the page. */
  readonly name: string;
  readonly first: string;
  readonly next: string;
  /** The first value of the last answer at the session port. */
  readonly answer: unknown;
  /** The same at the transaction port, or the SQLSTATE there. */
  readonly lost: { readonly answer: unknown } | { readonly code: string };
}

const habits: readonly Habit[] = [
  {
    name: "`PREPARE` and `EXECUTE` in SQL",
    first: "prepare habit as select 1",
    next: "execute habit",
    answer: 1,
    lost: { code: "26000" },
  },
  {
    name: "temporary tables",
    first: "create temp table habit as select 1 as n",
    next: "select n from habit",
    answer: 1,
    lost: { code: "42P01" },
  },
  {
    name: "`DECLARE … WITH HOLD`",
    first: "declare habit cursor with hold for select 1",
    next: "fetch habit",
    answer: 1,
    lost: { code: "34000" },
  },
  {
    name: "`SET`",
    first: "set statement_timeout = '7s'",
    next: "show statement_timeout",
    answer: "7s",
    lost: { answer: "0" },
  },
  {
    name: "session advisory locks",
    first: "select pg_advisory_lock(7)",
    next: "select pg_advisory_unlock(7)",
    answer: true,
    lost: { answer: false },
  },
  {
    name: "`LISTEN`",
    first: "listen habit",
    next: "select count(*)::int from pg_listening_channels()",
    answer: 1,
    lost: { answer: 0 },
  },
];

let urls: { readonly database_url: string; readonly database_url_session: string };

beforeAll(async () => {
  urls = (await createProject(system)).database;
});

const pidOf = async (client: Client) => (await client.query("select pg_backend_pid() as pid")).rows;

/** What a client hears whose backend somebody else is busy with when it comes back. */
async function play(url: string, { first, next }: Habit): Promise<unknown> {
  const [client, other] = await Promise.all([connected(url), connected(url)]);
  try {
    await client.query(first);
    const pid = await pidOf(client);
    await other.query("begin");
    const isShared = url === urls.database_url;
    expect((await pidOf(other))[0]?.pid === pid[0]?.pid).toBe(isShared);
    const { rows } = await client.query(next);
    return Object.values(rows[0] ?? {})[0];
  } finally {
    await Promise.all([client.end(), other.end()]);
  }
}

test.each(habits)("the page names $name", ({ name, lost }) => {
  const row = page.split("\n").find((line) => line.startsWith(`| ${name} `));
  expect(row).toBeDefined();
  if ("code" in lost) expect(row).toContain(lost.code);
});

test.each(habits)("$name works at the session port", async (habit) => {
  expect(await play(urls.database_url_session, habit)).toBe(habit.answer);
});

test.each(habits)("$name is lost at the transaction port", async (habit) => {
  const heard = play(urls.database_url, habit);
  if ("code" in habit.lost) await expect(heard).rejects.toMatchObject({ code: habit.lost.code });
  else expect(await heard).toBe(habit.lost.answer);
});
