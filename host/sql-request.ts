// What a request to POST /sql asks for, in the protocol of `@neondatabase/serverless` over HTTP:
// who asks stands in a header as a connection string, statements and their values in the body.
import type { IncomingHttpHeaders } from "node:http";
import { z } from "zod";
import { HostProblem } from "./problem.ts";

const queriesMax = 500;
const parametersMax = 65_535;

const Query = z.object({
  query: z.string().min(1),
  // The driver has made text of them; of others their JSON is what Postgres gets.
  params: z.array(z.unknown()).max(parametersMax).default([]),
});

const Body = z.union([Query, z.object({ queries: z.array(Query).min(1).max(queriesMax) })]);

/** One statement, with a text or null for each `$n`. */
export interface SqlQuery {
  readonly text: string;
  readonly values: readonly (string | null)[];
}

/** Who asks, as the pooler is told. */
export interface SqlLogin {
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** A whole request. */
export interface SqlRequest {
  readonly login: SqlLogin;
  readonly queries: readonly SqlQuery[];
  /** What begins the transaction of all of them; null for one statement by itself. */
  readonly begin: string | null;
  /** Rows as lists, not as objects. */
  readonly isArray: boolean;
}

const isolationLevels: Readonly<Record<string, string>> = {
  readuncommitted: "read uncommitted",
  readcommitted: "read committed",
  repeatableread: "repeatable read",
  serializable: "serializable",
};

function bad(message: string): HostProblem {
  return new HostProblem(400, "bad_request", message);
}

const connectionHeader = "neon-connection-string";

function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : undefined;
}

function loginOf(headers: IncomingHttpHeaders): SqlLogin {
  const text = headerOf(headers, connectionHeader);
  const remedy = "give the database's own URL, postgresql://user:password@host/database.";
  if (text === undefined) throw bad(`Neon-Connection-String: is missing; ${remedy}`);
  // It holds a password: what is wrong with it is not quoted.
  const url = /^postgres(ql)?:\/\//.test(text) ? URL.parse(text.replace(/^\w+:/, "http:")) : null;
  // As the poolers say it.
  if (url?.searchParams.has("options")) {
    throw new HostProblem(400, "08P01", "unsupported startup parameter: options");
  }
  try {
    const user = decodeURIComponent(url?.username ?? "");
    const password = decodeURIComponent(url?.password ?? "");
    const database = decodeURIComponent(url?.pathname.slice(1) ?? "");
    if (user !== "" && password !== "" && database !== "") return { user, password, database };
  } catch {
    // A % that stands for itself.
  }
  throw bad(`Neon-Connection-String: names no user, password and database; ${remedy}`);
}

function isOn(headers: IncomingHttpHeaders, name: string): boolean {
  return headerOf(headers, name)?.toLowerCase() === "true";
}

function beginOf(headers: IncomingHttpHeaders): string {
  const level = headerOf(headers, "neon-batch-isolation-level") ?? "ReadCommitted";
  const isolation = isolationLevels[level.toLowerCase()];
  if (isolation === undefined) {
    const names = "ReadUncommitted, ReadCommitted, RepeatableRead, Serializable";
    throw bad(`Neon-Batch-Isolation-Level: one of ${names}.`);
  }
  const words = [`begin isolation level ${isolation}`];
  if (isOn(headers, "neon-batch-read-only")) words.push("read only");
  if (isOn(headers, "neon-batch-deferrable")) words.push("deferrable");
  return words.join(" ");
}

function textOf(parameter: unknown): string | null {
  if (parameter === null || parameter === undefined) return null;
  return typeof parameter === "string" ? parameter : JSON.stringify(parameter);
}

function queryOf({ query, params }: z.infer<typeof Query>): SqlQuery {
  return { text: query, values: params.map(textOf) };
}

function bodyOf(text: string): z.infer<typeof Body> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw bad("body: is not JSON.");
  }
  const parsed = Body.safeParse(json);
  if (parsed.success) return parsed.data;
  throw bad(
    `body: give {"query", "params"} or {"queries": [{"query", "params"}]} with at most ` +
      `${queriesMax} queries.`,
  );
}

/** @throws HostProblem 400 that names the header or the field. */
export function parseSqlRequest(headers: IncomingHttpHeaders, text: string): SqlRequest {
  const login = loginOf(headers);
  const body = bodyOf(text);
  const isBatch = "queries" in body;
  return {
    login,
    queries: isBatch ? body.queries.map(queryOf) : [queryOf(body)],
    begin: isBatch ? beginOf(headers) : null,
    isArray: isOn(headers, "neon-array-mode"),
  };
}
