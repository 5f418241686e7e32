import { describe, expect, test } from "vitest";
import { loginOf, sqlRequestOf } from "../../../host/edge-sql/request.ts";

const loginIn = (text?: string) =>
  loginOf(text === undefined ? {} : { "neon-connection-string": text });
const requestOf = (body: unknown, headers = {}) =>
  sqlRequestOf(headers, Buffer.from(typeof body === "string" ? body : JSON.stringify(body)));

describe("the login of a request", () => {
  test("is that of its connection string, whatever its host and port", () => {
    const text = "postgresql://usr_a:p%40ss%2F%3A@elsewhere:1/proj_a?application_name=mine";
    expect(loginIn(text)).toEqual({
      ...{ user: "usr_a", password: "p@ss/:", database: "proj_a" },
      ...{ applicationName: "mine", options: "" },
    });
    expect(loginIn(text.replace("postgresql", "postgres"))).toEqual(loginIn(text));
  });

  test.each([
    undefined,
    "",
    "nonsense",
    "http://usr_a:word@host/proj_a",
    "postgresql:usr_a:word@host/proj_a",
    "postgresql://usr_a:word@host",
    "postgresql://usr_a@host/proj_a",
    "postgresql://:word@host/proj_a",
    "postgresql://usr_a:word@host/proj_a%00options",
    "postgresql://usr_a%00:word@host/proj_a",
    "postgresql://usr_a:%ff@host/proj_a",
  ])("is refused without a word of it when it is %s", (text) => {
    expect(() => loginIn(text)).toThrow(/^Neon-Connection-String: must be postgresql:/);
  });
});

describe("the body of a request", () => {
  test("is a statement with its values as texts", () => {
    expect(requestOf({ query: "select $1", params: ["a", 1, true, null] })).toEqual({
      ...{ begin: null, isArrayMode: false },
      statements: [{ query: "select $1", params: ["a", "1", "true", null] }],
    });
    expect(requestOf({ query: "select 1" }).statements).toEqual([
      { query: "select 1", params: [] },
    ]);
  });

  test("is a transaction when it is a list, even of nothing", () => {
    expect(requestOf({ queries: [{ query: "a" }, { query: "b" }] })).toMatchObject({
      begin: "BEGIN",
      statements: [{ query: "a" }, { query: "b" }],
    });
    expect(requestOf({ queries: [] })).toMatchObject({ begin: "BEGIN", statements: [] });
  });

  test("begins a transaction as its headers say", () => {
    const headers = {
      "neon-batch-isolation-level": "RepeatableRead",
      "neon-batch-read-only": "true",
      "neon-batch-deferrable": "false",
    };
    expect(requestOf({ queries: [] }, headers).begin).toBe(
      "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY NOT DEFERRABLE",
    );
  });

  test.each([
    { "neon-batch-isolation-level": "serializable; drop table a" },
    { "neon-batch-isolation-level": "toString" },
    { "neon-batch-read-only": "yes" },
    { "neon-array-mode": "1" },
  ])("is refused with a header that names nothing known: %o", (headers) => {
    expect(() => requestOf({ queries: [] }, headers)).toThrow(/: must be/i);
  });

  test.each([
    ["{", /must be JSON/],
    [[], /the body/],
    [{}, /^query: /],
    [{ query: 1 }, /^query: /],
    [{ query: "select 1\0" }, /^query: must not contain/],
    [{ query: "select 1", params: {} }, /^params: must be a list/],
    [{ query: "select 1", params: [[1]] }, /^params\.0: /],
    [{ queries: [{ query: "a" }, { params: [] }] }, /^queries\.1\.query: /],
  ])("names what is wrong with %j", (body, words) => {
    expect(() => requestOf(body)).toThrow(words);
  });
});
