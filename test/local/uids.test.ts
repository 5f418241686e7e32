// Databases go on as the users whose files they have, and a start that cannot be them says so.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { prepareUids } from "../../local/launch/uids.ts";

const isRoot = process.getuid?.() === 0;

let home: string;
beforeEach(() => {
  home = mkdtempSync("/tmp/miosa-uids-");
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const prepare = (hasDatabases: boolean) => prepareUids({ home, paths: ["/usr"], hasDatabases });
const keep = (decision: object) => writeFileSync(join(home, "uids.json"), JSON.stringify(decision));

test("those that run as the person's own user stay so, and it is said what it means", async () => {
  keep({ way: "none" });
  const { firstUid, prefix, missing } = await prepare(true);
  expect({ firstUid, prefix }).toEqual({ firstUid: null, prefix: [] });
  expect(missing).toMatch(/^All databases run as your user: .*another MIOSA_HOME than/s);
});

test("those of another start are not started as somebody else", async () => {
  const range = { first: 1_700_300_000, count: 20_000 };
  keep(isRoot ? { way: "namespace", uids: range, gids: range } : { way: "root", ...range });
  await expect(prepare(true)).rejects.toThrow(/belong to users that another start took/);
});

test("root's have a range that is nobody's, and the same one while there are any", async () => {
  const range = { first: 1_700_300_000, count: 20_000 };
  // Nobody else may take one.
  if (!isRoot) return void expect(() => process.setuid?.(range.first)).toThrow();
  const { firstUid, uidsMax, missing } = await prepare(false);
  expect(firstUid).toBeGreaterThanOrEqual(20_000);
  expect(uidsMax).toBeGreaterThanOrEqual(10_000);
  expect(missing).toBeNull();
  expect(JSON.parse(readFileSync(join(home, "uids.json"), "utf8")).first).toBe(firstUid);
  keep({ way: "root", ...range });
  expect(await prepare(true)).toMatchObject({ firstUid: range.first, uidsMax: 19_999 });
});
