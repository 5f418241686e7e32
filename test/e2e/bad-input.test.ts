// What clients must not send, over real HTTP: each gets its documented code and changes nothing.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, type Call, call } from "../support/client.ts";
import { system } from "../support/shared-system.ts";

const unknownId = "019a7c5e-8f00-7000-8000-000000000000";
const megabyte = 1024 * 1024;

async function counts() {
  const paths = ["/projects", "/workspaces", "/databases", "/operations"];
  const answers = await Promise.all(paths.map((path) => call(system, "GET", path)));
  return answers.map(({ body }) => body.total ?? body.meta.total);
}

// What the code is made of must not be in what a client reads.
const inside = /\bat \w+ ?\(|\.ts\b|node_modules|drizzle|sqlite|D1_|select |insert |miosa_control/i;

function expectProblem(answer: Answer, status: number, code: string): void {
  expect(answer.body, answer.text).toMatchObject({ error: { code } });
  expect(answer.status).toBe(status);
  const { error, request_id } = answer.body;
  expect(error.message.length).toBeGreaterThan(10);
  expect(answer.headers.get("x-request-id")).toBe(request_id);
  expect(error.request_id).toBe(request_id);
  expect(answer.text).not.toMatch(inside);
}

let before: readonly number[];

beforeAll(async () => {
  before = await counts();
});

afterAll(async () => {
  expect(await counts()).toEqual(before);
});

describe("a key", () => {
  const ways: [string, Call][] = [
    ["that is missing", { key: null }],
    ["that nobody knows", { key: `msk_a_${"x".repeat(43)}` }],
    ["that is no key", { key: "hello" }],
    ["in a Basic header", { key: null, headers: { authorization: "Basic YTpi" } }],
    ["with SQL in it", { key: "msk_' or 1=1 --" }],
    ["of 10 KB", { key: `msk_${"a".repeat(10_000)}` }],
  ];

  test.each(ways)("%s is 401 before anything else is looked at", async (_, options) => {
    expectProblem(await call(system, "GET", "/projects", options), 401, "invalid_token");
    const body = { name: "" };
    const answer = await call(system, "POST", "/projects", { ...options, body });
    expectProblem(answer, 401, "invalid_token");
    expectProblem(await call(system, "GET", "/projects/x", options), 401, "invalid_token");
  });
});

describe("a body", () => {
  test.each(["{bad", "", "\u0000", '{"name": "x"', "<xml/>"])("of %j is 400", async (body) => {
    expectProblem(await call(system, "POST", "/projects", { body }), 400, "MALFORMED_JSON");
  });

  test("over 1 MiB is 413", async () => {
    for (const length of [megabyte, 10 * megabyte]) {
      const answer = await call(system, "POST", "/projects", {
        body: { name: "a".repeat(length) },
      });
      expectProblem(answer, 413, "BODY_TOO_LARGE");
    }
  });

  const misspelled = "data.postgres.sise";
  const projects: [string, unknown, string][] = [
    ["an array", [], "body"],
    ["null", null, "body"],
    ["without a name", {}, "name"],
    ["with a number for a name", { name: 5 }, "name"],
    ["with an empty name", { name: "" }, "name"],
    ["with a name of blanks", { name: "   " }, "name"],
    ["with a name of 201 characters", { name: "a".repeat(201) }, "name"],
    ["with a NUL in its name", { name: "a\u0000b" }, "name"],
    ["with an escape sequence in its name", { name: "a\u001b[31mb" }, "name"],
    ["with two lines in its name", { name: "a\nb" }, "name"],
    ["with an unknown size", { name: "x", data: { postgres: { size: "huge" } } }, "data.postgres"],
    ["with a word for postgres", { name: "x", data: { postgres: "yes" } }, "data.postgres"],
    ["with an unknown data service", { name: "x", data: { mysql: true } }, "data.mysql"],
    ["with a misspelled size", { name: "x", data: { postgres: { sise: 1 } } }, misspelled],
    ["with a workspace that is no id", { name: "x", workspace_id: "1" }, "workspace_id"],
    ["with a slug of SQL", { name: "x", slug: "'; drop table project" }, "slug"],
    ["with text for metadata", { name: "x", metadata: "gold" }, "metadata"],
    ["with 20 KB of metadata", { name: "x", metadata: { a: "a".repeat(20_000) } }, "metadata"],
    [
      "with a control character in an external id",
      { name: "x", external_user_id: "\u0007" },
      "external_user_id",
    ],
  ];

  test.each(projects)("of a project %s is 422 and names the field", async (_, body, field) => {
    const answer = await call(system, "POST", "/projects", { body: JSON.stringify(body) });
    expectProblem(answer, 422, "VALIDATION_ERROR");
    expect(Object.keys(answer.body.errors)).toContain(field);
  });

  const databases: [string, object, string][] = [
    ["with another engine", { engine: "mysql" }, "engine"],
    ["with an unknown size", { size: "xs" }, "size"],
    ["with SQL in its name", { name: "a; drop database postgres" }, "name"],
    ["with a quote in its name", { name: 'a"b' }, "name"],
    ["with a name that no variable could have", { name: "1st" }, "name"],
    ["with more storage than there is", { storage_mb: 9_000_000 }, "storage_mb"],
    ["with a negative number of cores", { cpu_count: -1 }, "cpu_count"],
  ];

  test.each(databases)("of a database %s is 422 and names the field", async (_, body, field) => {
    const answer = await call(system, "POST", "/databases", { body });
    expectProblem(answer, 422, "VALIDATION_ERROR");
    expect(Object.keys(answer.body.errors)).toContain(field);
  });
});

describe("an id", () => {
  const paths = [
    ["GET", "/projects/:id"],
    ["PATCH", "/projects/:id"],
    ["DELETE", "/projects/:id"],
    ["GET", "/projects/:id/environments"],
    ["GET", "/projects/:id/environments/production/boot-env"],
    ["GET", "/projects/:id/data-services"],
    ["GET", "/workspaces/:id"],
    ["GET", "/workspaces/:id/projects"],
    ["GET", "/databases/:id"],
    ["DELETE", "/databases/:id"],
    ["GET", "/databases/:id/credentials"],
    ["GET", "/operations/:id"],
  ] as const;
  const ask = (method: string, path: string, id: string) =>
    call(system, method, path.replace(":id", id), method === "PATCH" ? { body: {} } : {});

  test.each(paths)("nobody knows is 404 at %s %s", async (method, path) => {
    expectProblem(await ask(method, path, unknownId), 404, "NOT_FOUND");
  });

  test.each(paths)("that is no UUID is 400 at %s %s", async (method, path) => {
    for (const id of ["1", "proj_x", "%27%3B--", "..%2f..%2fadmin", "a".repeat(3000)]) {
      expectProblem(await ask(method, path, id), 400, "INVALID_ID");
    }
  });

  test("of an unknown workspace is 404 for a new project", async () => {
    const body = { name: "x", workspace_id: unknownId };
    expectProblem(await call(system, "POST", "/projects", { body }), 404, "NOT_FOUND");
  });

  test("of an unknown project is 404 for a new database", async () => {
    const body = { name: "x", project_id: unknownId };
    expectProblem(await call(system, "POST", "/databases", { body }), 404, "NOT_FOUND");
  });
});

describe("a path or a method", () => {
  test("that does not exist is 404", async () => {
    expectProblem(await call(system, "GET", "/nothing"), 404, "NOT_FOUND");
    expectProblem(await call(system, "GET", "/api/v2/projects"), 404, "NOT_FOUND");
  });

  test("that is not served here is 405 and names those that are", async () => {
    const answer = await call(system, "PUT", "/projects");
    expectProblem(answer, 405, "METHOD_NOT_ALLOWED");
    expect(answer.headers.get("allow")).toMatch(/GET.*POST|POST.*GET/);
  });
});

describe("a query", () => {
  test.each([
    "limit=0",
    "limit=101",
    "limit=x",
    "page=-1",
    "cursor=zzz",
    "project_id=1",
    "state=happy",
  ])("of %s is 422", async (query) => {
    const answer = await call(system, "GET", `/databases?${query}`);
    expectProblem(answer, 422, "VALIDATION_ERROR");
    expect(Object.keys(answer.body.errors)).toEqual([query.split("=")[0]]);
  });
});

describe("an Idempotency-Key", () => {
  test.each(["a".repeat(256), "two words", ""])("of %j is 422", async (key) => {
    const answer = await call(system, "POST", "/projects", {
      body: { name: "" },
      headers: { "idempotency-key": key },
    });
    expect(answer.status).toBe(422);
  });
});

test("an x-request-id of the client's comes back only when it is harmless", async () => {
  const harmless = await call(system, "GET", "/projects", { headers: { "x-request-id": "abc-1" } });
  expect(harmless.headers.get("x-request-id")).toBe("abc-1");
  for (const theirs of ["<script>", "a".repeat(65), "a b"]) {
    const { headers } = await call(system, "GET", "/projects", {
      headers: { "x-request-id": theirs },
    });
    expect(headers.get("x-request-id")).toMatch(/^[\da-f-]{36}$/);
  }
});
