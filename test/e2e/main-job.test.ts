// The main job of the product, on real parts: one call makes a project whose database answers.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { call, createProject, query, until, untilRuns, withSql } from "../support/client.ts";
import { hostObjects } from "../support/operator.ts";
import { system } from "../support/shared-system.ts";

describe("a project created with postgres", () => {
  let made: Awaited<ReturnType<typeof createProject>>;

  beforeAll(async () => {
    made = await createProject(system, {
      external_workspace_id: `clinic-${Date.now()}`,
      external_user_id: "user-9",
      external_project_id: "site-3",
      metadata: { plan: "gold" },
    });
  });

  test("answers at once with a database that runs and whose URL works", async () => {
    const { database } = made;
    expect(database).toMatchObject({ state: "running", status: "running", size: "small" });
    const rows = await query(database.database_url, "select current_database() as name");
    expect(rows).toEqual([{ name: database.database }]);
  });

  test("carries the customer's words to everything it owns, and to no name in the host", () => {
    const words = {
      external_user_id: "user-9",
      external_project_id: "site-3",
      metadata: { plan: "gold" },
    };
    expect(made.project).toMatchObject(words);
    expect(made.database).toMatchObject(words);
    const { pathname, username } = new URL(made.database.database_url);
    expect(pathname).toMatch(/^\/proj_[a-z2-7]{20}$/);
    expect(username).toMatch(/^[a-z]+_[a-z2-7]{20}$/);
  });

  test("has the URL shape the documentation promises", () => {
    const url = new URL(made.database.database_url);
    expect(url.protocol).toBe("postgresql:");
    expect(url.search).toBe("");
    expect(url.port).toBe(String(system.dev().ports.transaction));
    const session = new URL(made.database.database_url_session);
    expect(session.port).toBe(String(system.dev().ports.session));
    expect([session.username, session.pathname]).toEqual([url.username, url.pathname]);
  });

  test("keeps what was written, also for the next connection", async () => {
    const { database_url } = made.database;
    await query(database_url, "create table visit (id int primary key, note text)");
    await query(database_url, "insert into visit values ($1, $2)", [1, "ümlaut"]);
    const rows = await query(made.database.database_url_session, "select * from visit");
    expect(rows).toEqual([{ id: 1, note: "ümlaut" }]);
  });

  test("lets its role make schemas, temporary tables and trusted extensions", async () => {
    await withSql(made.database.database_url, async (client) => {
      await client.query("begin");
      await client.query("create schema app");
      await client.query("create temporary table scratch (n int)");
      await client.query("create extension if not exists pgcrypto");
      await client.query("rollback");
    });
  });

  test("finds what is near by pgvector", async () => {
    await withSql(made.database.database_url, async (client) => {
      await client.query("begin");
      await client.query("create extension vector");
      await client.query("create table place (name text, at vector(2))");
      await client.query("insert into place values ('far', '[9,9]'), ('near', '[1,1]')");
      await client.query("create index on place using hnsw (at vector_l2_ops)");
      const { rows } = await client.query("select name from place order by at <-> '[0,0]' limit 1");
      await client.query("rollback");
      expect(rows).toEqual([{ name: "near" }]);
    });
  });

  test("answers to psql with the URL as it is", async () => {
    const { stdout } = await promisify(execFile)(
      "sh",
      ["-c", `${system.dev().psql} "$URL" -XAtc 'select 6 * 7'`],
      { env: { ...process.env, URL: made.database.database_url }, cwd: "/tmp" },
    );
    expect(stdout.trim()).toBe("42");
  });

  test("boots its production with the very same URLs", async () => {
    const path = `/projects/${made.project.id}/environments/production/boot-env`;
    const { status, headers, body } = await call(system, "GET", path);
    expect(status).toBe(200);
    expect(headers.get("cache-control")).toBe("no-store");
    expect(body.data).toMatchObject({
      environment: "production",
      env: {
        DATABASE_URL: made.database.database_url,
        DATABASE_URL_SESSION: made.database.database_url_session,
      },
    });
  });

  test("gives the same URL as its credentials", async () => {
    const { body } = await call(system, "GET", `/databases/${made.database.id}/credentials`);
    expect(body.data).toMatchObject({
      database_url: made.database.database_url,
      database_url_session: made.database.database_url_session,
    });
  });

  test("tells what was done for it", async () => {
    const { body } = await call(system, "GET", `/events?project_id=${made.project.id}`);
    const types = body.data.map(({ type }: { type: string }) => type);
    expect(types).toEqual(expect.arrayContaining(["database.created", "database.running"]));
  });
});

describe("the two URLs", () => {
  test("transaction: named prepared statements work across transactions", async () => {
    const { database } = await createProject(system);
    await withSql(database.database_url, async (client) => {
      const prepared = { name: "double", text: "select $1::int * 2 as n" };
      for (const n of [1, 2, 3]) {
        await client.query("begin");
        const { rows } = await client.query({ ...prepared, values: [n] });
        await client.query("commit");
        expect(rows).toEqual([{ n: n * 2 }]);
      }
    });
  });

  test("session: LISTEN hears NOTIFY, and session advisory locks hold", async () => {
    const { database } = await createProject(system);
    await withSql(database.database_url_session, async (listener) => {
      const heard = new Promise((resolve) => {
        listener.once("notification", ({ payload }) => resolve(payload));
      });
      await listener.query("listen news");
      await listener.query("select pg_advisory_lock(1)");
      await query(database.database_url_session, "select pg_notify('news', 'it is day')");
      expect(await heard).toBe("it is day");
      const [other] = await query(
        database.database_url_session,
        "select pg_try_advisory_lock(1) as got",
      );
      expect(other).toEqual({ got: false });
    });
  });
});

describe("the other environments", () => {
  test("get a database and a login of their own when their env is first asked for", async () => {
    const { project, database } = await createProject(system, {
      data: { postgres: { size: "medium" } },
    });
    const before = await call(system, "GET", `/databases?project_id=${project.id}`);
    expect(before.body.total).toBe(1);
    const path = `/projects/${project.id}/environments/staging/boot-env`;
    const { body } = await until(
      "the env of staging",
      () => call(system, "GET", path),
      ({ status }) => status === 200,
    );
    const url: string = body.data.env.DATABASE_URL;
    const [staging, production] = [new URL(url), new URL(database.database_url)];
    expect(staging.username).not.toBe(production.username);
    expect(staging.password).not.toBe(production.password);
    expect(staging.pathname).not.toBe(production.pathname);
    expect(await query(url, "select 1 as one")).toEqual([{ one: 1 }]);
    const after = await call(system, "GET", `/databases?project_id=${project.id}`);
    expect(after.body.data.map((each: { environment: string; size: string }) => each.size)).toEqual(
      ["medium", "medium"],
    );
  });

  test("asked for by twenty at once get exactly one database", async () => {
    const { project } = await createProject(system);
    const path = `/projects/${project.id}/environments/development/boot-env`;
    const asks = Array.from({ length: 20 }, () =>
      until(
        "the env of development",
        () => call(system, "GET", path),
        ({ status }) => status === 200,
      ),
    );
    const urls = (await Promise.all(asks)).map(({ body }) => body.data.env.DATABASE_URL);
    expect(new Set(urls).size).toBe(1);
    const { body } = await call(
      system,
      "GET",
      `/databases?project_id=${project.id}&environment=development`,
    );
    expect(body.total).toBe(1);
  });

  test("of a project without postgres boot without it, and nothing is made", async () => {
    const { body } = await call(system, "POST", "/projects", { body: { name: "No data" } });
    const path = `/projects/${body.data.id}/environments/staging/boot-env`;
    const env = await call(system, "GET", path);
    expect(env.status).toBe(200);
    expect(env.body.data.env).toEqual({});
    const { body: databases } = await call(system, "GET", `/databases?project_id=${body.data.id}`);
    expect(databases.total).toBe(0);
  });
});

describe("a data service", () => {
  test("with a name stands beside the primary under its own variable", async () => {
    const { project, database } = await createProject(system);
    const path = `/projects/${project.id}/data-services`;
    const added = await call(system, "POST", path, {
      body: { type: "postgres", name: "analytics", size: "large" },
    });
    expect([201, 202]).toContain(added.status);
    expect(added.body.data).toMatchObject({ name: "analytics", size: "large" });
    await untilRuns(system, added.body.data.id);
    const { body } = await call(
      system,
      "GET",
      `/projects/${project.id}/environments/production/boot-env`,
    );
    expect(body.data.env.DATABASE_URL).toBe(database.database_url);
    const url = body.data.env.ANALYTICS_DATABASE_URL;
    const rows = await query(url, "select current_database() as name");
    expect(rows).toEqual([{ name: added.body.data.database }]);
  });

  test("without a name is refused when the environment has its primary, and names it", async () => {
    const { project, database } = await createProject(system);
    const path = `/projects/${project.id}/data-services`;
    const { status, body } = await call(system, "POST", path, { body: { type: "postgres" } });
    expect(status).toBe(409);
    expect(body.error).toMatchObject({
      code: "ALREADY_EXISTS",
      details: { database_id: database.id },
    });
  });
});

describe("deletion", () => {
  const isGone = ({ status }: { status: number }) => status === 404;

  test("of a database leaves 404, no database, no instance, and no way in", async () => {
    const { database } = await createProject(system);
    const { status } = await call(system, "DELETE", `/databases/${database.id}?grace_seconds=0`);
    expect([202, 204]).toContain(status);
    await until("404", () => call(system, "GET", `/databases/${database.id}`), isGone);
    const { databases, instances } = hostObjects(system);
    expect(databases).not.toContain(database.database);
    expect(instances).not.toContain(database.database);
    await expect(query(database.database_url, "select 1")).rejects.toThrow();
  });

  test("ends connections that are in use", async () => {
    const { database } = await createProject(system);
    await withSql(database.database_url_session, async (client) => {
      await client.query("select 1");
      const ended = new Promise((resolve) => client.once("end", resolve));
      await call(system, "DELETE", `/databases/${database.id}?grace_seconds=0`);
      await until("404", () => call(system, "GET", `/databases/${database.id}`), isGone);
      await ended;
    });
  });

  test("of a project takes all its databases with it", async () => {
    const { project, database } = await createProject(system);
    const path = `/projects/${project.id}/data-services`;
    const second = await call(system, "POST", path, { body: { type: "postgres", name: "second" } });
    const { status } = await call(system, "DELETE", `/projects/${project.id}?grace_seconds=0`);
    expect([202, 204]).toContain(status);
    await until("404", () => call(system, "GET", `/projects/${project.id}`), isGone);
    const { databases } = hostObjects(system);
    expect(databases).not.toContain(database.database);
    expect(databases).not.toContain(second.body.data.database);
  });

  test("makes room for a new primary", async () => {
    const { project, database } = await createProject(system);
    await call(system, "DELETE", `/databases/${database.id}?grace_seconds=0`);
    await until("404", () => call(system, "GET", `/databases/${database.id}`), isGone);
    const { status, body } = await call(system, "POST", `/projects/${project.id}/data-services`, {
      body: { type: "postgres" },
    });
    expect([201, 202]).toContain(status);
    const { database_url: url } = await untilRuns(system, body.data.id);
    expect(await query(url, "select 1 as one")).toEqual([{ one: 1 }]);
  });
});
