import { expect, test } from "vitest";
import { parseSqlRequest } from "../../host/sql-request.ts";

const url = "postgresql://usr_a:p%40ss@db.example.com/proj_a?sslmode=require";
const headers = (more: Readonly<Record<string, string>> = {}) => ({
  "neon-connection-string": url,
  ...more,
});

test("a statement with its values and who asks", () => {
  const body = { query: "select $1, $2, $3", params: ["a", null, { n: 1 }] };
  expect(parseSqlRequest(headers(), JSON.stringify(body))).toEqual({
    login: { user: "usr_a", password: "p@ss", database: "proj_a" },
    queries: [{ text: "select $1, $2, $3", values: ["a", null, '{"n":1}'] }],
    begin: null,
    isArray: false,
  });
});

test("several are one transaction, begun as the headers say", () => {
  const body = JSON.stringify({ queries: [{ query: "select 1" }, { query: "select 2" }] });
  const more = {
    "neon-batch-isolation-level": "RepeatableRead",
    "neon-batch-read-only": "true",
    "neon-batch-deferrable": "true",
    "neon-array-mode": "true",
  };
  expect(parseSqlRequest(headers(more), body)).toMatchObject({
    queries: [{ text: "select 1" }, { text: "select 2" }],
    begin: "begin isolation level repeatable read read only deferrable",
    isArray: true,
  });
  expect(parseSqlRequest(headers(), body).begin).toBe("begin isolation level read committed");
});

test.each([
  ["no login", {}, "{}", "Neon-Connection-String: is missing"],
  ["a login without password", { "neon-connection-string": "postgres://a@b/c" }, "{}", "names no"],
  ["another scheme", { "neon-connection-string": "https://a:b@c/d" }, "{}", "names no"],
  ["a broken escape", { "neon-connection-string": "postgres://a:%zz@c/d" }, "{}", "names no"],
  ["options", { "neon-connection-string": `${url}&options=-c%20x` }, "{}", "unsupported startup"],
  ["no JSON", headers(), "select 1", "body: is not JSON"],
  ["no query", headers(), '{"params":[]}', "body: give"],
  ["no queries", headers(), '{"queries":[]}', "body: give"],
  [
    "an unknown level",
    headers({ "neon-batch-isolation-level": "; drop" }),
    '{"queries":[{"query":"x"}]}',
    "Neon-Batch-Isolation-Level",
  ],
])("%s is refused with words that hold no secret", (_, given, body, words) => {
  const parse = () => parseSqlRequest(given, body);
  expect(parse).toThrow(words);
  expect(parse).not.toThrow(/p@ss|p%40ss/);
});
