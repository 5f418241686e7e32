// Errors of SQL over HTTP and WebSocket, with the SQLSTATE and the words a driver shows.
import { DatabaseError } from "pg";

/** A refusal of this program's own, told to the client like one of Postgres'. */
export class SqlProblem extends Error {
  override readonly name = "SqlProblem";
  /** SQLSTATE. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

const fields = [
  ...["severity", "detail", "hint", "position", "internalPosition", "internalQuery", "where"],
  ...["schema", "table", "column", "dataType", "constraint", "file", "line", "routine"],
] as const;

// PgBouncer has one SQLSTATE for all it refuses; drivers look for this one.
function codeOf({ code, message }: DatabaseError): string | undefined {
  const isLogin = code === "08P01" && /authentication failed|no such user/.test(message);
  return isLogin ? "28P01" : code;
}

/** The error as the body of an answer. Anything unexpected is a connection that broke. */
export function sqlErrorBody(error: unknown): Readonly<Record<string, unknown>> {
  if (error instanceof DatabaseError) {
    const facts = Object.entries(error).filter(([name]) => fields.some((field) => field === name));
    return { message: error.message, code: codeOf(error), ...Object.fromEntries(facts) };
  }
  if (error instanceof SqlProblem) {
    return { message: error.message, code: error.code, severity: "ERROR" };
  }
  const message =
    "The connection to the database broke; whether the statement was carried out is not known.";
  return { message, code: "08006", severity: "FATAL" };
}
