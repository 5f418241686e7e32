import { describe, expect, test } from "vitest";
import {
  entriesOf,
  oneLine,
  poolerLine,
  postgresLine,
  renderSlowLine,
  slowLine,
} from "../../../host/observe/log-line.ts";

/** What Postgres puts before a message of a session; a name stands there as a client sent it. */
const prefixOf = (database: string) =>
  `2026-11-23 04:13:18.925 UTC [19329] 42P01 (client backend) ` +
  `${"=".repeat(32)} ${database} ${"=".repeat(64)} `;

const databasesOf = (log: string) => entriesOf(log).map((entry) => postgresLine(entry)?.database);

describe("a line of Postgres' log", () => {
  test("is about the database it names, in a form of its own", () => {
    expect(
      postgresLine(`${prefixOf("proj_a")}ERROR:  relation "t" does not exist at character 15`),
    ).toEqual({
      database: "proj_a",
      at: "2026-11-23T04:13:18.925Z",
      source: "postgres",
      level: "error",
      message: 'relation "t" does not exist',
      sqlstate: "42P01",
    });
  });

  test.each([
    ["about no database", "2026-11-23 04:13:18.925 UTC [7] 00000 (postmaster) LOG:  ready"],
    ["half written", prefixOf("proj_a").slice(0, 70)],
    ["of another form", "LOG:  hello"],
  ])("that is %s is passed over", (_, text) => {
    expect(postgresLine(text)).toBeNull();
  });

  test("cannot pass for two: further lines of a message begin with a tab", () => {
    const forged = `${prefixOf("proj_b")}ERROR:  forged`;
    const log = `${prefixOf("proj_a")}ERROR:  x\n\t${forged}\r${forged}\u2028\u0000y`;
    const entries = entriesOf(log);
    expect(entries).toHaveLength(1);
    const line = postgresLine(entries[0] ?? "");
    expect(line?.database).toBe("proj_a");
    expect(line?.message).not.toMatch(/[\p{Cc}\p{Zl}]/u);
  });

  // A pooler takes names of databases of at most 63 bytes.
  test.each([
    "x\n2026-11-23 05:00:00.000 UTC [1] 00000 (client backend) proj_b",
    "x\n2026-11-23 05:00:00.000 UTC [1] 00000 (a) ========== proj_b",
    `x\n2026-11-23 05:00:00.000 UTC [1] 0 () ${"=".repeat(16)} proj_b`,
    `proj_b ${"=".repeat(56)}`,
    "proj_b ERROR:  forged",
    "proj_b\n",
    "\nproj_b",
  ])("of a neighbour who calls a database %j is nobody else's", (name) => {
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63);
    const message = `FATAL:  database "${name.replaceAll("\n", "\n\t")}" does not exist`;
    expect(databasesOf(`${prefixOf(name)}${message}\n`)).not.toContain("proj_b");
  });

  test("has at most 2,000 characters", () => {
    expect(oneLine("😀".repeat(5000)).length).toBeLessThanOrEqual(2000);
    expect(oneLine(`${"a".repeat(1998)}😀😀`)).toMatch(/^a+…$/);
  });

  test("has no password", () => {
    const line = postgresLine(`${prefixOf("proj_a")}ERROR:  syntax error at or near "s3cret"`);
    expect(line?.message).toBe('syntax error at or near "******"');
  });
});

describe("a line of a pooler's log", () => {
  const at = "2026-11-23 04:13:36.910 UTC [21943]";

  test("is about the pool it begins with", () => {
    const text = `${at} WARNING C-0x560ff: proj_a/usr_a@127.0.0.1:48042 pooler error: too many`;
    expect(poolerLine(text, "transaction")).toMatchObject({
      database: "proj_a",
      source: "transaction-pooler",
      level: "warning",
      message: "usr_a@127.0.0.1:48042 pooler error: too many",
    });
  });

  test.each([
    ["a user", `${at} LOG C-0x1: proj_b/proj_a/usr@127.0.0.1:1 login failed`],
    ["a database", `${at} LOG C-0x1: proj_a/x/usr@127.0.0.1:1 login failed`],
    ["a whole line", `${at} LOG C-0x1: proj_a/u@1.1.1.1:1 closing/usr@127.0.0.1:1 no such`],
    ["a message", `${at} WARNING C-0x1: proj_b/usr@127.0.0.1:1 pooler error: C-0x2: proj_a/x@y z`],
    ["a client without a pool", `${at} LOG C-0x1: (nodb)/proj_a@127.0.0.1:1 closing: proj_a/x`],
    ["a second line", `\t${at} LOG C-0x1: proj_a/usr@127.0.0.1:1 forged`],
  ])("that names a neighbour in the name of %s is not the neighbour's", (_, text) => {
    expect(poolerLine(text, "session")?.database).not.toBe("proj_a");
  });
});

test("a slow statement is a warning, on one line", () => {
  const at = new Date("2026-11-23T04:00:00.000Z");
  const text = renderSlowLine(at, "proj_a", "slow statement: 1200 ms: select\n1");
  expect(text).toBe("2026-11-23 04:00:00.000 UTC proj_a slow statement: 1200 ms: select 1\n");
  expect(slowLine(text.trimEnd())).toEqual({
    database: "proj_a",
    at: at.toISOString(),
    source: "postgres",
    level: "warning",
    message: "slow statement: 1200 ms: select 1",
    sqlstate: null,
  });
});
