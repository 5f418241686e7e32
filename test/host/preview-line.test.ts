import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openDatabaseFile } from "../../host/database-file.ts";
import {
  type PoolerPreview,
  readPreviews,
  renderPreviewHba,
  withPreviewUsers,
} from "../../host/preview-line.ts";
import { defaultSettings } from "../../src/contract/setting.ts";
import { aConfig } from "../support/host-config.ts";
import { scramVerifier } from "../support/scram.ts";

const login = `pre_${"a".repeat(20)}`;
const verifier = scramVerifier("a password only tests know");

function aPreview(allowed_addresses: string[] = []): PoolerPreview {
  const { transaction, session } = defaultSettings;
  return {
    recovery_id: "019a0000-0000-7000-8000-000000000001",
    directory: "/somewhere/scratch/0123abcd",
    port: 1,
    database: "proj_a",
    user: "usr_a",
    login,
    verifier,
    transaction,
    session,
    allowed_addresses,
  };
}

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "preview-"));
  mkdirSync(join(directory, "pooler"));
});
afterEach(() => rmSync(directory, { recursive: true }));

describe("a preview in the poolers' files", () => {
  test("is there when the RELOAD comes, and gone after it is forgotten", async () => {
    const users = join(directory, "pooler", "users.txt");
    const lines = join(directory, "pooler", "session-databases.ini");
    writeFileSync(users, '"pgbouncer" "secret"\n');
    const seen: string[] = [];
    const file = openDatabaseFile(aConfig(directory), async () => {
      seen.push(readFileSync(lines, "utf8") + readFileSync(users, "utf8"));
    });
    await file.changePreview("preview_a", aPreview());
    expect(seen[0]).toContain(
      "preview_a = host='/somewhere/scratch/0123abcd' port=1 dbname='proj_a' user='usr_a' " +
        "pool_size=4 max_db_connections=4 max_db_client_connections=4\n",
    );
    expect(seen[0]).toContain(`"pgbouncer" "secret"\n"${login}" "${verifier}"\n`);
    expect([...readPreviews(aConfig(directory)).keys()]).toEqual(["preview_a"]);
    await file.changePreview("preview_a", undefined);
    expect(seen[1]).toBe('[databases]\n"pgbouncer" "secret"\n');
    expect(readPreviews(aConfig(directory)).size).toBe(0);
  });

  test("admits its login from the networks that are allowed, to it alone", () => {
    const rules = renderPreviewHba(new Map([["preview_a", aPreview(["203.0.113.0/24"])]]));
    expect(rules.split("\n")).toEqual([
      `local preview_a ${login} scram-sha-256`,
      `host preview_a ${login} 203.0.113.0/24 scram-sha-256`,
      "local preview_a all reject",
      "host preview_a all all reject",
      `local all ${login} reject`,
      `host all ${login} all reject`,
      "",
    ]);
  });

  test("leaves the platform's own users as they are", () => {
    const before = `"pgbouncer" "secret"\n"pre_${"b".repeat(20)}" "an earlier one"\n`;
    expect(withPreviewUsers(before, new Map())).toBe('"pgbouncer" "secret"\n');
  });
});
