import { describe, expect, test } from "vitest";
import { oneLine, poolerLine, postgresLine, slowLine } from "../../host/log-line.ts";

const json = (fields: Record<string, unknown>) =>
  JSON.stringify({
    timestamp: "2026-11-23 04:13:18.925 UTC",
    user: "usr_a",
    dbname: "proj_a",
    error_severity: "ERROR",
    state_code: "42P01",
    message: 'relation "t" does not exist',
    ...fields,
  });

describe("a line of Postgres' log", () => {
  test("is about the database it names, in a form of its own", () => {
    expect(postgresLine(json({}))).toEqual({
      database: "proj_a",
      at: "2026-11-23T04:13:18.925Z",
      source: "postgres",
      level: "error",
      message: 'relation "t" does not exist',
      sqlstate: "42P01",
    });
  });

  test.each([
    ["about no database", json({ dbname: undefined })],
    ["half written", json({}).slice(0, 40)],
    ["of another form", "LOG: hello"],
  ])("that is %s is passed over", (_, text) => {
    expect(postgresLine(text)).toBeNull();
  });

  test("cannot pass for two, nor for a neighbour's", () => {
    const message = `x\n${json({ dbname: "proj_b" })}\r\u2028\u0000y`;
    const line = postgresLine(json({ message }));
    expect(line?.database).toBe("proj_a");
    expect(line?.message).not.toMatch(/[\p{Cc}\p{Zl}]/u);
  });

  test("has at most 2,000 characters", () => {
    expect(oneLine("😀".repeat(5000)).length).toBeLessThanOrEqual(2000);
    expect(oneLine(`${"a".repeat(1998)}😀😀`)).toMatch(/^a+…$/);
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
    ["a user name", `${at} LOG C-0x1: proj_b/proj_a/usr@127.0.0.1:1 login failed`],
    ["a message", `${at} WARNING C-0x1: proj_b/usr@127.0.0.1:1 pooler error: C-0x2: proj_a/x@y z`],
    ["a client without a pool", `${at} LOG C-0x1: (nodb)/proj_a@127.0.0.1:1 closing: proj_a/x`],
    ["a second line", `\t${at} LOG C-0x1: proj_a/usr@127.0.0.1:1 forged`],
  ])("that names a neighbour in %s is not the neighbour's", (_, text) => {
    expect(poolerLine(text, "session")?.database).not.toBe("proj_a");
  });
});

test("a slow statement is a warning", () => {
  const at = "2026-11-23T04:00:00.000Z";
  const text = JSON.stringify({ at, database: "proj_a", message: "slow statement: 1200 ms: x" });
  expect(slowLine(text)).toMatchObject({ database: "proj_a", level: "warning", at });
});
