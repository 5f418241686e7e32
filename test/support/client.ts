// A client of the platform, and what an operator with psql sees.
import { setTimeout as delay } from "node:timers/promises";
import { Client, type ClientConfig } from "pg";
import type { RunningSystem } from "./system.ts";

/** How a call differs from a plain GET by the operator. */
export interface Call {
  readonly body?: unknown;
  /** Null sends no key. */
  readonly key?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer; `data` and `error` are the envelope's. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests read whatever JSON came.
  readonly body: any;
}

/** Calls the API of a running system; a string body is sent as it is. */
export async function call(
  system: RunningSystem,
  method: string,
  path: string,
  { body, key, headers = {} }: Call = {},
): Promise<Answer> {
  const { api_url, api_key, root_url } = system.dev();
  const base = path.startsWith("/api/") || !path.startsWith("/") ? root_url : api_url;
  const authorization = key === null ? {} : { authorization: `Bearer ${key ?? api_key}` };
  const content = body === undefined ? {} : { "content-type": "application/json" };
  const response = await fetch(`${base}${path}`, {
    method,
    headers: { ...authorization, ...content, ...headers },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: parse(text) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Creates a project with Postgres; where there is no spare, its database is waited for. */
export async function createProject(
  system: RunningSystem,
  fields: Readonly<Record<string, unknown>> = {},
) {
  const body = { name: "Smile Dental", data: { postgres: true }, ...fields };
  const answer = await call(system, "POST", "/projects", { body });
  const [made] = answer.body?.data?.databases ?? [];
  if (![201, 202].includes(answer.status) || made === undefined) {
    throw new Error(`The project was not made: ${answer.status} ${answer.text}`);
  }
  const database = made.state === "running" ? made : await untilRuns(system, made.id);
  return { answer, project: answer.body.data, database } as const;
}

const createSeconds = 120;

/** A database that is being made, with its URLs, once it runs. */
export async function untilRuns(system: RunningSystem, id: string) {
  const look = async () => (await call(system, "GET", `/databases/${id}`)).body.data;
  const isOver = ({ state }: { state: string }) => state !== "provisioning";
  const database = await until("A database", look, isOver, createSeconds);
  if (database.state !== "running") throw new Error(`It does not run: ${JSON.stringify(database)}`);
  const { body } = await call(system, "GET", `/databases/${id}/credentials`);
  return { ...database, ...body.data };
}

/** An open connection to a URL; one that breaks later fails its next query. */
export async function connected(url: string, config: ClientConfig = {}): Promise<Client> {
  const client = new Client({ connectionString: url, ...config });
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

/** Runs `work` on a connection to a URL. */
export async function withSql<Result>(
  url: string,
  work: (client: Client) => Promise<Result>,
  config: ClientConfig = {},
): Promise<Result> {
  const client = await connected(url, config);
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** The rows of one query at a URL. */
export async function query(url: string, text: string, values: readonly unknown[] = []) {
  const { rows } = await withSql(url, (client) => client.query(text, [...values]));
  return rows as readonly Record<string, unknown>[];
}

/** Every row of a list of the API. */
// biome-ignore lint/suspicious/noExplicitAny: tests read whatever JSON came.
export async function listAll(system: RunningSystem, path: string): Promise<any[]> {
  const rows = [];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const after = cursor === "" ? "" : `&cursor=${cursor}`;
    const separator = path.includes("?") ? "&" : "?";
    const { body } = await call(system, "GET", `${path}${separator}limit=100${after}`);
    rows.push(...body.data);
    cursor = body.next_cursor;
  }
  return rows;
}

/** Asks until the condition holds; the last answer when it does not in time is the error. */
export async function until<Value>(
  what: string,
  look: () => Promise<Value>,
  holds: (value: Value) => boolean,
  seconds = 30,
): Promise<Value> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const value = await look();
    if (holds(value)) return value;
    if (performance.now() > deadline) {
      throw new Error(`${what} did not come true in ${seconds} s: ${JSON.stringify(value)}`);
    }
    await delay(100);
  }
}
