// `npm run demo`: plays the main job on the running system, as a platform would, and says what it
// does. Ends with 1 and the step when one does not hold.
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { readIfExists } from "../../host/base/file.ts";
import { say } from "../install/command.ts";
import { homePaths, readSettings } from "./settings.ts";

interface Env {
  readonly DATABASE_URL: string;
  readonly DATABASE_URL_SESSION: string;
  readonly [name: string]: string;
}

/** The part of a database that the demo looks at. */
interface Database {
  readonly id: string;
  readonly state: string;
  readonly size: string;
  readonly environment: string;
  readonly name: string;
  readonly database_url?: string;
}

interface Answer<Data> {
  readonly status: number;
  readonly data: Data;
  readonly milliseconds: number;
}

type Call = <Data>(method: string, path: string, body?: unknown) => Promise<Answer<Data>>;

const patienceSeconds = 30;
const lookMilliseconds = 200;

function mask(url: string): string {
  return url.replace(/:[^:@/]+@/, ":********@");
}

let step = "finding the running system";

function begin(title: string): void {
  step = title;
  say(`\n${title}`);
}

function tell(line: string): void {
  say(`  ${line}`);
}

function openApi(): Call {
  const { dev } = homePaths(readSettings(process.env).home);
  const text = readIfExists(dev);
  if (text === undefined) throw new Error(`${dev} is not there: run \`npm start\` first.`);
  const { api_url, api_key } = JSON.parse(text) as { api_url: string; api_key: string };
  return async (method, path, body) => {
    const startedAt = performance.now();
    const response = await fetch(`${api_url}${path}`, {
      method,
      headers: { authorization: `Bearer ${api_key}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }).catch(() => {
      throw new Error(`Nothing answers at ${api_url}: run \`npm start\` first.`);
    });
    const answer = await response.text();
    const milliseconds = Math.round(performance.now() - startedAt);
    tell(`${method} ${path} answers ${response.status} in ${milliseconds} ms`);
    const parsed = answer === "" ? {} : JSON.parse(answer);
    if (response.status >= 500) throw new Error(`The API answers ${answer}`);
    return { status: response.status, data: parsed.data, milliseconds };
  };
}

async function withClient<Result>(url: string, work: (client: Client) => Promise<Result>) {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Asks again while the answer is 202, as the `Retry-After` of such an answer says. */
async function untilDone<Data>(ask: () => Promise<Answer<Data>>): Promise<Answer<Data>> {
  const deadline = performance.now() + patienceSeconds * 1000;
  for (;;) {
    const answer = await ask();
    if (answer.status !== 202) return answer;
    ok(performance.now() < deadline, `not done within ${patienceSeconds} s`);
    await delay(lookMilliseconds);
  }
}

async function createProject(call: Call) {
  begin('A platform creates the project "Smile Dental" with Postgres');
  const { status, data, milliseconds } = await call<{ id: string; databases: Database[] }>(
    "POST",
    "/projects",
    {
      name: "Smile Dental",
      external_workspace_id: "demo-clinic",
      data: { postgres: true },
    },
  );
  strictEqual(status, 201, "a project is created");
  const [database] = data.databases;
  ok(database?.database_url, "the answer holds the database and its URL");
  strictEqual(database.state, "running");
  tell(`its ${database.environment} database is ${database.state}, size ${database.size}:`);
  tell(mask(database.database_url));
  tell(`one call and ${milliseconds} ms from nothing to a database that answers`);
  return { id: data.id, url: database.database_url };
}

async function useDatabase(url: string): Promise<void> {
  begin("The app connects with DATABASE_URL, makes a table, writes and reads");
  await withClient(url, async (client) => {
    await client.query(
      "create table patient (id bigint generated always as identity primary key, name text)",
    );
    await client.query("insert into patient (name) values ($1), ($2)", ["Ada", "Grace"]);
    const { rows } = await client.query("select id::int, name from patient order by id");
    deepStrictEqual(rows, [
      { id: 1, name: "Ada" },
      { id: 2, name: "Grace" },
    ]);
    tell(`rows read: ${JSON.stringify(rows)}`);
    const named = { name: "by-id", text: "select name from patient where id = $1", values: [2] };
    strictEqual((await client.query(named)).rows[0]?.name, "Grace");
    tell("a prepared statement works through the transaction pooler");
  });
}

async function bootEnv(call: Call, projectId: string, environment: string): Promise<Env> {
  const path = `/projects/${projectId}/environments/${environment}/boot-env`;
  const { status, data } = await untilDone(() => call<{ env: Env }>("GET", path));
  strictEqual(status, 200, `the env of ${environment} is complete`);
  for (const name of Object.keys(data.env).sort()) tell(`${name}=${mask(data.env[name] ?? "")}`);
  return data.env;
}

async function compareEnvironments(call: Call, id: string, url: string): Promise<Env> {
  begin("A runtime instance of production boots with");
  const production = await bootEnv(call, id, "production");
  strictEqual(production.DATABASE_URL, url, "production's env names the database just used");
  begin("A sandbox of staging boots with a database and credentials of its own");
  const staging = await bootEnv(call, id, "staging");
  const [here, there] = [new URL(production.DATABASE_URL), new URL(staging.DATABASE_URL)];
  for (const part of ["pathname", "username", "password"] as const) {
    ok(here[part] !== there[part], `${part} differs`);
  }
  const tables = "select count(*)::int as count from pg_tables where schemaname = 'public'";
  const { rows } = await withClient(staging.DATABASE_URL, (client) => client.query(tables));
  strictEqual(rows[0]?.count, 0, "staging does not see production's table");
  tell("database, user and password differ; production's table is not there");
  return production;
}

async function listenAndNotify(url: string): Promise<void> {
  begin("DATABASE_URL_SESSION is the same database in session mode: LISTEN hears NOTIFY");
  await withClient(url, async (client) => {
    const heard = new Promise<string | undefined>((resolve) => {
      client.once("notification", ({ payload }) => resolve(payload));
    });
    await client.query("listen appointment");
    await withClient(url, (other) => other.query("notify appointment, 'Ada at ten'"));
    const late = delay(5000, "nothing", { ref: false });
    const payload = await Promise.race([heard, late]);
    strictEqual(payload, "Ada at ten");
    tell(`heard: ${payload}`);
  });
}

async function addAnalytics(call: Call, id: string): Promise<void> {
  begin("A second database in production, by name");
  const body = { type: "postgres", name: "analytics", size: "small" };
  const { status, data } = await call<Database>("POST", `/projects/${id}/data-services`, body);
  ok(status === 201 || status === 202, "the database is created");
  tell(`${data.name}: ${data.state}`);
  const env = await bootEnv(call, id, "production");
  const url = env.ANALYTICS_DATABASE_URL;
  ok(url !== undefined && url !== env.DATABASE_URL, "ANALYTICS_DATABASE_URL stands beside");
  const { rows } = await withClient(url, (client) => client.query("select 1 as one"));
  strictEqual(rows[0]?.one, 1);
}

async function removeProject(call: Call, id: string, url: string): Promise<void> {
  begin("The project is deleted, and everything of it");
  const { status } = await call("DELETE", `/projects/${id}?grace_seconds=0`);
  ok(status === 204 || status === 202, "the deletion is accepted");
  const deadline = performance.now() + patienceSeconds * 1000;
  while ((await call("GET", `/projects/${id}`)).status !== 404) {
    ok(performance.now() < deadline, `not gone within ${patienceSeconds} s`);
    await delay(lookMilliseconds);
  }
  const refusal = await withClient(url, () => Promise.resolve()).then(
    () => undefined,
    (error: Error) => error.message,
  );
  ok(refusal !== undefined, "the old DATABASE_URL no longer connects");
  tell(`the old DATABASE_URL is refused: ${refusal}`);
}

async function play(): Promise<void> {
  const call = openApi();
  const startedAt = performance.now();
  const project = await createProject(call);
  await useDatabase(project.url);
  const production = await compareEnvironments(call, project.id, project.url);
  await listenAndNotify(production.DATABASE_URL_SESSION);
  await addAnalytics(call, project.id);
  await removeProject(call, project.id, project.url);
  say(`\nAll of it held, in ${((performance.now() - startedAt) / 1000).toFixed(1)} s.`);
}

try {
  await play();
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`\nThe demo failed at: ${step}\n  ${mask(message)}\n`);
  process.exitCode = 1;
}
