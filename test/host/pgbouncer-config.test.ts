import { describe, expect, test } from "vitest";
import {
  needsRestart,
  renderHba,
  renderLine,
  renderPoolerConfig,
  renderUsers,
} from "../../host/pgbouncer-config.ts";
import { aConfig } from "../support/host-config.ts";

describe("a pooler's settings", () => {
  test("give a database without a line the limits of the size small", () => {
    expect(renderPoolerConfig(aConfig(), "transaction")).toMatch(
      /^\* = .* pool_size=4 max_db_connections=4 max_db_client_connections=100$/m,
    );
    expect(renderPoolerConfig(aConfig(), "session")).toMatch(
      /^\* = .* pool_size=4 max_db_connections=4 max_db_client_connections=4$/m,
    );
  });

  test("have the lines of single databases before the one that stands for all", () => {
    const text = renderPoolerConfig(aConfig(), "session");
    const include = text.indexOf("%include /srv/miosa/pooler/session-databases.ini");
    expect(include).toBeGreaterThan(0);
    expect(include).toBeLessThan(text.indexOf("\n* ="));
  });

  test("support prepared statements in transaction mode", () => {
    expect(renderPoolerConfig(aConfig(), "transaction")).toContain("max_prepared_statements = 200");
  });

  test("accept plain connections on loopback and refuse them elsewhere", () => {
    expect(renderPoolerConfig(aConfig(), "session")).toContain("client_tls_sslmode = allow");
    const elsewhere = { ...aConfig(), public_host: "db.example.test" };
    expect(renderPoolerConfig(elsewhere, "session")).toContain("client_tls_sslmode = require");
  });

  test("hold no password", () => {
    expect(renderPoolerConfig(aConfig(), "session")).not.toMatch(/password/i);
  });

  test("ask for a restart only when where it listens changes", () => {
    const before = renderPoolerConfig(aConfig(), "session");
    const moved = aConfig();
    moved.listen.session_port = 4;
    expect(needsRestart(before, renderPoolerConfig(moved, "session"))).toBe(true);
    const grown = { ...aConfig(), databases_max: 1000 };
    expect(needsRestart(before, renderPoolerConfig(grown, "session"))).toBe(false);
  });
});

describe("the line of a database", () => {
  test("caps its server connections whatever the number of its roles", () => {
    const limits = { pool_size: 20, client_connections_max: 200 };
    expect(renderLine(aConfig(), "proj_a", limits)).toBe(
      "proj_a = host='/srv/miosa/run' port=5432 pool_size=20 " +
        "max_db_connections=20 max_db_client_connections=200",
    );
  });
});

describe("the rules of who comes in", () => {
  const rules = renderHba(new Map()).trim().split("\n");

  test("let the console be reached over the Unix socket alone, by one role alone", () => {
    expect(rules.filter((rule) => rule.startsWith("local"))).toEqual([
      "local pgbouncer miosa_control scram-sha-256",
      "local all miosa_control,pgbouncer reject",
      "local postgres,template0,template1,pgbouncer,pgb_auth,miosa_template all reject",
      "local all all scram-sha-256",
    ]);
  });

  test("turn the platform's roles and databases away before they let tenants in", () => {
    const tcp = rules.filter((rule) => rule.startsWith("host"));
    expect(tcp.map((rule) => rule.split(" ").at(-1))).toEqual([
      "reject",
      "reject",
      "scram-sha-256",
    ]);
    expect(tcp[0]).toContain(" miosa_control,pgbouncer ");
    expect(tcp[1]).toMatch(/postgres,template0,template1,pgbouncer,pgb_auth,miosa_template/);
  });
});

describe("a database with allowed addresses", () => {
  test("is open to them alone, and every other database to everybody", () => {
    const rules = renderHba(new Map([["proj_a", ["203.0.113.0/24", "2001:db8::/32"]]])).split("\n");
    expect(rules.filter((rule) => !rule.includes("pgbouncer"))).toEqual([
      "local all all scram-sha-256",
      "host proj_a all 203.0.113.0/24 scram-sha-256",
      "host proj_a all 2001:db8:0:0:0:0:0:0/32 scram-sha-256",
      "host proj_a all all reject",
      "host all all all scram-sha-256",
      "",
    ]);
  });
});

describe("the users file", () => {
  test("has the control plane's verifier instead of its password", () => {
    const secrets = {
      control_password: "c".repeat(43),
      pooler_password: "p".repeat(43),
      repository_key: "r".repeat(43),
    };
    const text = renderUsers(secrets, "SCRAM-SHA-256$1:salt$stored:server");
    expect(text).toContain('"miosa_control" "SCRAM-SHA-256$');
    expect(text).not.toContain(secrets.control_password);
  });
});
