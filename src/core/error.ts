/** Field problems of a request: field path → what is wrong with it and what to send instead. */
export type FieldErrors = Record<string, string[]>;

/** Options of an ApiError beyond its code and message. */
export interface ApiErrorOptions {
  /** Machine-readable facts for the caller; never a secret, never an internal name. */
  readonly details?: Record<string, unknown>;
  /** Further members of `error` itself, where public clients look for them. */
  readonly facts?: Record<string, unknown>;
  readonly fields?: FieldErrors;
  /** Sent as `Retry-After` and `error.retry_after_ms`; also marks the error retryable. */
  readonly retryAfterSeconds?: number;
  /** Headers of the answer beside those every error has. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** An error the caller is told about. Thrown by verbs, mapped to HTTP once, in `workers/api.ts`. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly code: string;
  readonly options: ApiErrorOptions;

  constructor(status: number, code: string, message: string, options: ApiErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.status = status;
    this.code = code;
    this.options = options;
  }
}

/** Thrown in an operation's step: do not retry, unwind. Anything else is retried. */
export class TerminalError extends Error {
  override readonly name = "TerminalError";
  readonly code: string;

  constructor(code: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** The same, of a step that surely changed nothing: it unwinds also past the point of no return. */
export class NothingDone extends TerminalError {}

/** A host was not reached, so that it has surely not begun what it was to do. */
export class Unreached extends Error {
  override readonly name = "Unreached";
}

/** A host said no: `status` and `code` are its own, such as 404 `unknown_database`. */
export class HostRefusal extends Error {
  override readonly name = "HostRefusal";
  readonly status: number;
  readonly code: string;
  /** The host's own, written for the caller. */
  readonly words: string;

  constructor(command: string, status: number, code: string, message: string) {
    super(`The host refused ${command}: ${status} ${code}: ${message}`);
    this.status = status;
    this.code = code;
    this.words = message;
  }
}

/** What a host answers; null when it refuses with this code of its own. */
export async function unlessRefused<Result>(
  code: string,
  asked: Promise<Result>,
): Promise<Result | null> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof HostRefusal && error.code === code) return null;
    throw error;
  }
}

/** What was thrown, in words. A broken WebSocket throws an event, which has none of its own. */
export function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message || error.name;
  if (typeof error !== "object" || error === null) return String(error);
  const { type, message, error: inner } = error as Readonly<Record<string, unknown>>;
  if (inner !== undefined && inner !== null) return messageOf(inner);
  if (typeof message === "string" && message !== "") return message;
  return typeof type === "string" ? `The connection broke (${type}).` : "It failed without words.";
}

/** 404 for what does not exist and for what belongs to somebody else: the two look the same. */
export function notFound(noun: string): ApiError {
  return new ApiError(
    404,
    "NOT_FOUND",
    `No such ${noun}. Check the id and the API key's workspace.`,
  );
}

/** 422 for one field. */
export function invalid(field: string, problem: string): ApiError {
  return new ApiError(422, "VALIDATION_ERROR", `${field}: ${problem}`, {
    fields: { [field]: [problem] },
  });
}

/** 409 because the thing is not in a state that allows it, or somebody else was first. */
export function conflict(
  code: string,
  message: string,
  details?: Record<string, unknown>,
): ApiError {
  return new ApiError(409, code, message, details === undefined ? {} : { details });
}

/** 503 for what is only for now; the caller may repeat the same request. */
export function unavailable(code: string, message: string, retryAfterSeconds: number): ApiError {
  return new ApiError(503, code, message, { retryAfterSeconds });
}
