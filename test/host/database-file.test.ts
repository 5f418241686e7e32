import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openDatabaseFile, readWanted, settingsIn } from "../../host/database-file.ts";
import { defaultPools } from "../../src/contract/pool.ts";
import { defaultSettings } from "../../src/contract/setting.ts";
import { aConfig } from "../support/host-config.ts";

const pools = {
  transaction: { pool_size: 20, client_connections_max: 200 },
  session: { pool_size: 10, client_connections_max: 20 },
};

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "pooler-"));
  mkdirSync(join(directory, "pooler"));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Limits whose RELOAD is recorded with what the transaction pooler would have read. */
function aSetting() {
  const seen: string[] = [];
  let failing = false;
  const limits = openDatabaseFile(aConfig(directory), async () => {
    if (failing) throw new Error("the pooler is gone");
    seen.push(lines("transaction"));
  });
  const fail = (value: boolean) => {
    failing = value;
  };
  return { limits, seen, fail };
}

function lines(mode: string): string {
  return readFileSync(join(directory, "pooler", `${mode}-databases.ini`), "utf8");
}

describe("limits of a database", () => {
  test("are in both poolers' files when the RELOAD comes", async () => {
    const { limits, seen } = aSetting();
    await limits.change("proj_a", pools);
    expect(seen).toEqual([expect.stringContaining("proj_a = ")]);
    expect(lines("transaction")).toContain("max_db_client_connections=200");
    expect(lines("session")).toContain("max_db_client_connections=20\n");
  });

  test("that change at the same time share one RELOAD", async () => {
    const { limits, seen } = aSetting();
    const names = Array.from({ length: 50 }, (_, index) => `proj_${index}`);
    await Promise.all(names.map((name) => limits.change(name, pools)));
    expect(seen).toHaveLength(1);
    for (const name of names) expect(seen[0]).toContain(`${name} = `);
  });

  test("that are in force already cost no RELOAD", async () => {
    const { limits, seen } = aSetting();
    await limits.change("proj_a", pools);
    await limits.change("proj_a", structuredClone(pools));
    await limits.change("proj_unknown", undefined);
    expect(seen).toHaveLength(1);
  });

  test("are gone after they were taken away", async () => {
    const { limits, seen } = aSetting();
    await limits.change("proj_a", pools);
    await limits.change("proj_a", undefined);
    expect(seen).toHaveLength(2);
    expect(seen[1]).not.toContain("proj_a");
  });

  test("that are those of all again keep their line, without which clients are ended", async () => {
    const { limits, seen } = aSetting();
    await limits.change("proj_a", pools);
    await limits.change("proj_a", { transaction: defaultPools.transaction });
    expect(seen).toHaveLength(2);
    expect(seen[1]).toMatch(/proj_a = .*max_db_client_connections=100\n/);
  });

  test("are not reported in force when a RELOAD failed, and a repeat puts them so", async () => {
    const { limits, seen, fail } = aSetting();
    fail(true);
    await expect(limits.change("proj_a", pools)).rejects.toThrow("the pooler is gone");
    fail(false);
    await limits.change("proj_a", pools);
    expect(seen).toEqual([expect.stringContaining("proj_a = ")]);
  });

  test("outlive the host program", async () => {
    await aSetting().limits.change("proj_a", pools);
    expect(readWanted(aConfig(directory))).toEqual(new Map([["proj_a", pools]]));
  });
});

describe("settings of a database", () => {
  const apart = { suspend_after_seconds: 300, bytes_per_backend: 2 ** 30 };

  test("that no pooler reads cost no RELOAD and no line", async () => {
    const { limits, seen } = aSetting();
    await limits.change("proj_a", defaultSettings);
    // The first write makes the files themselves.
    const before = seen.length;
    await limits.change("proj_a", { ...defaultSettings, ...apart });
    expect(seen).toHaveLength(before);
    expect(lines("transaction")).not.toContain("proj_a");
    expect(readWanted(aConfig(directory)).get("proj_a")).toMatchObject(apart);
  });

  test("with addresses cost a RELOAD and no line", async () => {
    const { limits, seen } = aSetting();
    await limits.change("proj_a", defaultSettings);
    const before = seen.length;
    await limits.change("proj_a", { ...defaultSettings, allowed_addresses: ["203.0.113.0/24"] });
    expect(seen).toHaveLength(before + 1);
    expect(lines("session")).not.toContain("proj_a");
  });

  test("leave its state as it is", async () => {
    const { limits } = aSetting();
    for (const state of ["suspended", "stopped"] as const) {
      await limits.change("proj_a", { state });
      await limits.change("proj_a", { ...defaultSettings, ...apart });
      await limits.change("proj_a", { ...defaultSettings, suspend_after_seconds: 0 });
      expect(limits.all.get("proj_a")?.state).toBe(state);
    }
  });

  test("are read from files of older versions, with the defaults for what they lack", () => {
    const kept = { proj_a: { transaction: pools.transaction }, proj_b: {}, proj_c: apart };
    writeFileSync(join(directory, "pooler", "databases.json"), JSON.stringify(kept));
    const settings = [...readWanted(aConfig(directory)).values()].map(settingsIn);
    expect(settings).toEqual([
      { ...defaultSettings, transaction: pools.transaction },
      defaultSettings,
      { ...defaultSettings, ...apart },
    ]);
  });
});
