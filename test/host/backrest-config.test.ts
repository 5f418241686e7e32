import { expect, test } from "vitest";
import { renderBackrestConfig } from "../../host/backrest-config.ts";
import type { BackupSettings } from "../../host/config.ts";
import { storeProblem } from "../../host/store-problem.ts";
import { aConfig } from "../support/host-config.ts";

const secrets = {
  control_password: "c",
  pooler_password: "p",
  repository_key: "k".repeat(43),
};

function render(repository: 1 | 2, change: Partial<NonNullable<BackupSettings["s3"]>> = {}) {
  const s3 = {
    endpoint: "s3.test",
    port: 9000,
    bucket: "backups",
    region: "eu-1",
    uri_style: "path" as const,
    key: "AKIA",
    key_secret: "a-long-secret",
    prefix: "/miosa/one",
    ...change,
  };
  const config = aConfig();
  const text = renderBackrestConfig(
    { ...config, backup: { ...config.backup, s3 } },
    secrets,
    repository,
  );
  return text.split("\n");
}

test("Postgres archives into the first repository alone, whatever the store does", () => {
  const lines = render(1);
  expect(lines).toContain("archive-async=y");
  expect(lines.filter((line) => /s3|repo2/.test(line))).toEqual([]);
});

test("both repositories are encrypted with the installation's key", () => {
  for (const repository of [1, 2] as const) {
    expect(render(repository)).toContain("repo1-cipher-type=aes-256-cbc");
    expect(render(repository)).toContain(`repo1-cipher-pass=${"k".repeat(43)}`);
  }
});

test("the store is reached at its port and prefix, by path or by virtual host", () => {
  const lines = ["repo1-type=s3", "repo1-storage-port=9000", "repo1-path=/miosa/one"];
  expect(render(2)).toEqual(expect.arrayContaining([...lines, "repo1-s3-uri-style=path"]));
  const byHost = render(2, { uri_style: "host", address: "10.0.0.7" });
  expect(byHost).toContain("repo1-s3-uri-style=host");
  expect(byHost).toContain("repo1-storage-host=10.0.0.7");
});

test("words of pgBackRest that are not known are told as they are, on one line", () => {
  expect(storeProblem("something\n   else")).toBe("something else");
});

test("of a request that a store refused its answer is told, not the headers", () => {
  const said = [
    "HTTP request failed with 403 (Forbidden):",
    "*** Path/Query ***:",
    "GET /backups/miosa/backup/main/backup.info",
    "*** Request Headers ***:",
    "authorization: <redacted>",
    "*** Response Content ***:",
    "<Error><Code>AccessDenied</Code></Error>",
  ];
  expect(storeProblem(said.join("\n"))).toMatch(
    /^the key may not do that: .*\(HTTP request failed with 403 \(Forbidden\): \*{3} Response/,
  );
  expect(storeProblem(said.join("\n"))).not.toMatch(/authorization|GET/);
});
