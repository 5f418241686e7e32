import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Miniflare } from "miniflare";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type Database, migrate } from "../../local/launch/migrate.ts";

let directory: string;
let runtime: Miniflare;
let db: Database;

const script = "export default { fetch: () => new Response() }";

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "migrate-"));
});
beforeEach(async () => {
  const { convertV4MiniflareOptions } = await import("miniflare");
  const d1Databases = { DB: crypto.randomUUID() };
  runtime = new Miniflare(convertV4MiniflareOptions({ modules: true, script, d1Databases }));
  db = await runtime.getD1Database("DB");
});
afterEach(() => runtime.dispose());
afterAll(() => rmSync(directory, { recursive: true }));

const first = "create table a (id integer);\n--> statement-breakpoint\ninsert into a values (1);";

test("migrations are applied in order, once, and recorded where wrangler looks", async () => {
  writeFileSync(join(directory, "0001_more.sql"), "insert into a values (2);");
  writeFileSync(join(directory, "0000_init.sql"), first);
  expect(await migrate(db, directory)).toEqual(["0000_init.sql", "0001_more.sql"]);
  expect(await migrate(db, directory)).toEqual([]);
  const { results } = await db.prepare("select name from d1_migrations order by id").all();
  expect(results).toEqual([{ name: "0000_init.sql" }, { name: "0001_more.sql" }]);
});

test("a migration that fails leaves nothing of itself, and is tried again", async () => {
  writeFileSync(join(directory, "0000_init.sql"), `${first}\n--> statement-breakpoint\nbroken;`);
  await expect(migrate(db, directory)).rejects.toThrow(/syntax error/);
  writeFileSync(join(directory, "0000_init.sql"), first);
  expect(await migrate(db, directory)).toContain("0000_init.sql");
});
