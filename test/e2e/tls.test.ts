// Poolers on loopback take TLS and plain alike; their URLs carry no sslmode.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { createProject, withSql } from "../support/client.ts";
import { system } from "../support/shared-system.ts";

const urls: Record<string, string> = {};

beforeAll(async () => {
  const { database } = await createProject(system);
  urls.transaction = database.database_url;
  urls.session = database.database_url_session;
});

const one = (url: string | undefined, ssl: object | false) =>
  withSql(url ?? "", (client) => client.query("select 1 as one"), { ssl });

describe.each(["transaction", "session"])("the %s pooler", (mode) => {
  test("takes a plain connection", async () => {
    expect((await one(urls[mode], false)).rows).toEqual([{ one: 1 }]);
  });

  test("takes TLS as sslmode=require asks for it", async () => {
    const { rows } = await one(urls[mode], { rejectUnauthorized: false });
    expect(rows).toEqual([{ one: 1 }]);
  });

  test("has a certificate that the cluster's own authority vouches for", async () => {
    const ca = readFileSync(join(system.home, "cluster/tls/ca.crt"), "utf8");
    const { rows } = await one(urls[mode], { ca, servername: "localhost" });
    expect(rows).toEqual([{ one: 1 }]);
  });

  test("is not trusted without that authority", async () => {
    await expect(one(urls[mode], { servername: "localhost" })).rejects.toThrow(/certificate/);
  });
});
