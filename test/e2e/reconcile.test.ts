// What hands change on a host is made again what the rows say, by the cron; what no row names is
// told of, and nothing of it is lost.
import { randomBytes } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import { verifierOf } from "../../host/instance/verifier.ts";
import { call, createProject, query, until } from "../support/client.ts";
import { changeRows } from "../support/d1.ts";
import { command } from "../support/host-command.ts";
import { hostObjects, postgresOf } from "../support/operator.ts";
import { system } from "../support/shared-system.ts";
import { smallSpec } from "../support/spec.ts";

// A row settles for half a minute, and the cron comes once a minute.
const looks = 120;
const testMilliseconds = 150_000;
const dayMilliseconds = 86_400_000;
const orphan = "proj_byhand";

const alertsOf = async (text: string) =>
  (await call(system, "GET", `/admin/alerts?limit=100&${text}`)).body.data as {
    readonly kind: string;
    readonly subject: string;
  }[];

async function createDatabase(fields: Readonly<Record<string, unknown>> = {}) {
  const { database } = await createProject(system, fields);
  return { name: String(database.database), url: String(database.database_url) };
}

type Made = Awaited<ReturnType<typeof createDatabase>>;
let medium: Made;
let stopped: Made;
const password = randomBytes(24).toString("base64url");

// All of it first: one look of the reconciler finds everything.
beforeAll(async () => {
  medium = await createDatabase({ data: { postgres: { size: "medium" } } });
  stopped = await createDatabase();
  const [own] = (await command(system, "inventory", {})).databases.filter(
    ({ database }) => database === medium.name,
  );
  expect(own?.state).toBe("running");
  const { username, password: known } = new URL(medium.url);
  const verifier = await verifierOf(known, 4096);
  await command(system, "database.configure", {
    database: medium.name,
    spec: smallSpec(username, verifier),
  });
  await command(system, "database.stop", { database: stopped.name });
  await command(system, "database.create", {
    database: orphan,
    spec: smallSpec("usr_byhand", await verifierOf(password, 4096)),
  });
}, 120_000);

test(
  "a database whose spec was changed by hand has its row's again",
  async () => {
    const limit = async () => {
      const rows = await query(medium.url, "show max_connections").catch((error) => [error]);
      return String(Object.values(rows[0] ?? {})[0]);
    };
    await until("The size is the row's", limit, (said) => Number(said) > 20, looks);
  },
  testMilliseconds,
);

test(
  "a database that was stopped by hand runs again",
  async () => {
    const served = () =>
      query(stopped.url, "select 1 as one").then(
        () => true,
        () => false,
      );
    await until("It is served", served, Boolean, looks);
  },
  testMilliseconds,
);

test(
  "what no row names is an alert that stands; after days it is put aside, and can be brought back",
  async () => {
    const host = `/admin/hosts/${system.dev().host_id}`;
    const subject = `${system.dev().host_id}/${orphan}`;
    const open = async () => (await alertsOf("kind=orphan")).map((alert) => alert.subject).join();
    const trash = async () => (await call(system, "GET", `${host}/trash`)).body.data;
    const isServed = () => postgresOf(system, orphan) !== undefined;
    /** Lets time pass for the alerts, and looks at once. */
    const pass = async (milliseconds: number) => {
      const older = "update alert set created_at = created_at - ? where kind = 'orphan'";
      changeRows(system, older, milliseconds);
      await call(system, "POST", `${host}/reconcile`);
    };
    await until("The alert is open", open, (found) => found === subject, looks);
    await pass(dayMilliseconds);
    expect([isServed(), await trash()]).toEqual([true, []]);
    await pass(7 * dayMilliseconds);
    await until("It is put aside", trash, (items) => items.length === 1, looks);
    expect(isServed()).toBe(false);
    expect(hostObjects(system).databases).toContain(orphan);
    const [{ name }] = await trash();
    expect((await call(system, "POST", `${host}/trash/${name}/restore`)).status).toBe(200);
    expect([isServed(), await trash()]).toEqual([true, []]);
    await until("It is an orphan again", open, (found) => found === subject, looks);
    await pass(8 * dayMilliseconds);
    await until("It is put aside again", trash, (items) => items.length === 1, looks);
    expect((await call(system, "DELETE", `${host}/trash/${name}`)).status).toBe(204);
    expect(hostObjects(system).databases).not.toContain(orphan);
    await until("The alert is resolved", open, (found) => found === "", looks);
  },
  testMilliseconds,
);

test("nothing is left to alert anybody", async () => {
  // What happened to servers is told for a day; other files halt and kill some.
  const past = ["server_failed", "worker_restarted"];
  const open = await alertsOf("state=open");
  expect(open.filter(({ kind }) => !past.includes(kind))).toEqual([]);
});
