import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { exportD1, findD1, listExports, restoreD1 } from "../../local/launch/d1-export.ts";
import { keepSecrets } from "../../local/launch/secrets.ts";
import { homePaths } from "../../local/launch/settings.ts";

const d1Name = `${"ab".repeat(32)}.sqlite`;
let home: string;
let file: string;
let database: DatabaseSync;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "d1-"));
  file = join(homePaths(home).state, "v3", "d1", "miniflare-D1DatabaseObject", d1Name);
  mkdirSync(dirname(file), { recursive: true });
  mkdirSync(homePaths(home).log);
  database = new DatabaseSync(file);
  database.exec("pragma journal_mode = wal; create table project (name text)");
  database.exec("insert into project values ('Smile Dental')");
});

afterEach(() => {
  if (database.isOpen) database.close();
  rmSync(home, { recursive: true });
});

const secretsOf = () => keepSecrets(homePaths(home).secrets);

test("a copy is whole while D1 is written to, and says nothing to who has no key", async () => {
  const copy = await exportD1(home, secretsOf());
  expect(readFileSync(copy ?? "").includes("Smile Dental")).toBe(false);
  database.close();
  rmSync(homePaths(home).state, { recursive: true });
  mkdirSync(homePaths(home).state);
  await restoreD1(home, secretsOf(), copy ?? "");
  expect(findD1(home)).toBe(file);
  const restored = new DatabaseSync(file, { readOnly: true });
  expect(restored.prepare("select name from project").all()).toEqual([{ name: "Smile Dental" }]);
  restored.close();
});

test("a D1 that is there is not overwritten, and nothing is left beside it", async () => {
  const copy = await exportD1(home, secretsOf());
  await expect(restoreD1(home, secretsOf(), copy ?? "")).rejects.toThrow(/is there: move it away/);
});

test("a damaged copy, or one of other keys, is refused and changes nothing", async () => {
  const copy = (await exportD1(home, secretsOf())) ?? "";
  database.close();
  rmSync(homePaths(home).state, { recursive: true });
  mkdirSync(homePaths(home).state);
  const other = { ...secretsOf(), sealing_keys: { current: "k", keys: { k: "another" } } };
  await expect(restoreD1(home, other, copy)).rejects.toThrow(/damaged|another/);
  const bytes = readFileSync(copy);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  writeFileSync(copy, bytes);
  await expect(restoreD1(home, secretsOf(), copy)).rejects.toThrow(/damaged/);
  expect(findD1(home)).toBeUndefined();
});

test("two days are kept, and before the first start there is nothing to copy", async () => {
  for (let hour = 0; hour < 50; hour++) {
    await exportD1(home, secretsOf(), new Date(Date.UTC(2026, 0, 1, hour)));
  }
  const kept = listExports(home);
  expect(kept).toHaveLength(48);
  expect(kept[0]).toContain("2026-01-01T02");
  database.close();
  rmSync(homePaths(home).state, { recursive: true });
  expect(await exportD1(home, secretsOf())).toBeUndefined();
  expect(existsSync(file)).toBe(false);
});
