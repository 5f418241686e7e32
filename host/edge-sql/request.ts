// Requests of POST /sql, as `@neondatabase/serverless` makes them.
import type { IncomingHttpHeaders } from "node:http";
import { z } from "zod";
import { HostProblem } from "../base/problem.ts";
import { SqlProblem } from "./problem.ts";

/** Who wants to run SQL where. Host and port of the connection string are not asked for. */
export interface Login {
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly applicationName: string;
  /** Startup options, for the pooler to refuse. */
  readonly options: string;
}

/** One statement; values are texts, as Postgres reads them. */
export interface Statement {
  readonly query: string;
  readonly params: readonly (string | null)[];
}

/** What a request asks for. */
export interface SqlRequest {
  /** Null for a single statement; the statement that begins the transaction of a batch. */
  readonly begin: string | null;
  readonly statements: readonly Statement[];
  /** Rows as lists in place of objects. */
  readonly isArrayMode: boolean;
}

const withoutNul = "must not contain the character U+0000";
const hasNoNul = (text: string) => !text.includes("\0");
const Value = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const StatementBody = z.object({
  query: z.string().refine(hasNoNul, withoutNul),
  params: z
    .array(Value, "must be a list of texts, numbers, booleans and nulls")
    .max(65_535, "must have at most 65535 entries, as for Postgres")
    .default([]),
});
const Body = z.union([
  z.object({ queries: z.array(StatementBody).max(10_000, "must have at most 10000 entries") }),
  StatementBody,
]);

const isolationLevels: Readonly<Record<string, string>> = {
  readuncommitted: "READ UNCOMMITTED",
  readcommitted: "READ COMMITTED",
  repeatableread: "REPEATABLE READ",
  serializable: "SERIALIZABLE",
};

function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : undefined;
}

function flagOf(headers: IncomingHttpHeaders, name: string): boolean | undefined {
  const value = headerOf(headers, name)?.toLowerCase();
  if (value === undefined) return undefined;
  if (value === "true" || value === "false") return value === "true";
  throw new HostProblem(400, "invalid_header", `${name}: must be true or false.`);
}

const hint = "Neon-Connection-String: must be postgresql://user:password@host/database.";

/** @throws HostProblem 400 unless the header is there, whole and safe to send to the pooler. */
export function loginOf(headers: IncomingHttpHeaders): Login {
  const text = headerOf(headers, "neon-connection-string") ?? "";
  try {
    const [scheme = ""] = /^postgres(?:ql)?:(?=\/\/)/.exec(text) ?? [];
    // Only of a scheme it knows does the parser take user and host apart.
    const { username, password, pathname, searchParams } = new URL(
      `http:${text.slice(scheme === "" ? text.length : scheme.length)}`,
    );
    const login = {
      user: decodeURIComponent(username),
      password: decodeURIComponent(password),
      database: decodeURIComponent(pathname.slice(1)),
      applicationName: searchParams.get("application_name") ?? "",
      options: searchParams.get("options") ?? "",
    };
    const { user, password: secret, database } = login;
    const isWhole = user !== "" && secret !== "" && database !== "";
    if (isWhole && Object.values(login).every(hasNoNul)) return login;
  } catch {
    // The error would repeat the password.
  }
  throw new HostProblem(400, "invalid_header", hint);
}

/** The statement a batch begins with. */
function beginOf(headers: IncomingHttpHeaders): string {
  const level = headerOf(headers, "neon-batch-isolation-level");
  const isolation = level === undefined ? undefined : isolationLevels[level.toLowerCase()];
  if (level !== undefined && isolation === undefined) {
    const names = "ReadUncommitted, ReadCommitted, RepeatableRead, Serializable";
    const message = `Neon-Batch-Isolation-Level: must be one of ${names}.`;
    throw new HostProblem(400, "invalid_header", message);
  }
  const readOnly = flagOf(headers, "neon-batch-read-only");
  const deferrable = flagOf(headers, "neon-batch-deferrable");
  return [
    "BEGIN",
    ...(isolation === undefined ? [] : [`ISOLATION LEVEL ${isolation}`]),
    ...(readOnly === undefined ? [] : [readOnly ? "READ ONLY" : "READ WRITE"]),
    ...(deferrable === undefined ? [] : [deferrable ? "DEFERRABLE" : "NOT DEFERRABLE"]),
  ].join(" ");
}

function statementOf({ query, params }: z.infer<typeof StatementBody>): Statement {
  return { query, params: params.map((value) => (value === null ? null : String(value))) };
}

function parseBody(body: Buffer): z.infer<typeof Body> {
  let json: unknown;
  try {
    json = JSON.parse(body.toString("utf8"));
  } catch {
    throw new SqlProblem("08P01", "The body must be JSON.");
  }
  // Told apart beforehand, so that the error names the field.
  const isBatch = typeof json === "object" && json !== null && "queries" in json;
  const parsed = (isBatch ? Body.options[0] : StatementBody).safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.join(".") || "the body";
  throw new SqlProblem("08P01", `${where}: ${issue?.message ?? "is wrong"}.`);
}

/** @throws HostProblem or SqlProblem that names what is wrong. */
export function sqlRequestOf(headers: IncomingHttpHeaders, body: Buffer): SqlRequest {
  const parsed = parseBody(body);
  const isBatch = "queries" in parsed;
  return {
    begin: isBatch ? beginOf(headers) : null,
    statements: (isBatch ? parsed.queries : [parsed]).map(statementOf),
    isArrayMode: flagOf(headers, "neon-array-mode") ?? false,
  };
}
