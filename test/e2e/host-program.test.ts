// The host program as a process, with real instances, poolers and repositories.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type HostProgram, prepareHostProgram, startHostProgram } from "../support/host-program.ts";

describe("a directory of the former design", () => {
  let host: HostProgram;
  beforeAll(async () => {
    host = await prepareHostProgram();
  });
  afterAll(() => host?.stop());

  test("is refused in words, and stays as it is", async () => {
    mkdirSync(join(host.directory, "data"));
    writeFileSync(join(host.directory, "data", "PG_VERSION"), "17\n");
    expect(await host.startInVain()).toMatch(/holds one Postgres for all databases/);
  });
});

describe("a host", () => {
  let host: HostProgram;
  beforeAll(async () => {
    host = await startHostProgram();
  });
  afterAll(() => host?.stop());

  test("says what it is", async () => {
    const status = await host.command("status", {});
    expect(status).toMatchObject({
      postgres_version: expect.stringMatching(/^17\./),
      pgbouncer_version: expect.stringMatching(/^1\.26\./),
      pgbackrest_version: expect.stringMatching(/^2\./),
      protocol: 3,
      instances: 0,
    });
    expect((await host.command("incidents", { after_seq: 0, limit: 10 })).incidents).toEqual([]);
  });
});
