import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { firstLines } from "../../local/launch/announce.ts";
import { readSettings } from "../../local/launch/settings.ts";

const facts = {
  apiKey: "msk_a_key",
  hostId: "c",
  ports: { http: 1, transaction: 2, session: 3 },
  psql: "printf '%s\\n'",
};

test("the printed psql line finds the URL in what the printed curl line has kept", () => {
  const home = mkdtempSync(join(tmpdir(), "first project's "));
  const { psql, curl } = firstLines(readSettings({ MIOSA_HOME: home }), facts);
  const url = "postgresql://u:p@127.0.0.1:2/proj_a";
  const database = { id: "1", database_url: url, database_url_session: "postgresql://other" };
  const answer = JSON.stringify({ data: { name: "x", databases: [database] } });
  writeFileSync(join(home, "first-project.json"), answer);
  expect(execFileSync("sh", ["-c", psql], { encoding: "utf8" })).toContain(`${url}\n`);
  expect(curl).toContain("http://127.0.0.1:8787/api/v1/projects");
  rmSync(home, { recursive: true });
});
