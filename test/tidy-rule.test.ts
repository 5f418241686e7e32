// Every rule of tidy.test.ts finds what it is for: one bad sample each.
import { describe, expect, test } from "vitest";
import { readCode } from "./support/code-file.ts";
import { importRules } from "./support/tidy-import.ts";
import { syntaxRules } from "./support/tidy-syntax.ts";
import { textRules } from "./support/tidy-text.ts";

const long = (lines: number) => `export function f() {\n${"  g();\n".repeat(lines)}}\n`;
const table = 'import { project } from "../project/table.ts";\n';

// Rule, path and text that break it.
const samples: [string, string, string][] = [
  ["a folder of src/ imports only", "src/core/a.ts", 'import "../project/find.ts";'],
  ["a folder of src/ imports only", "src/novelty/a.ts", 'import "../core/id.ts";'],
  ["a folder of host/ imports only", "host/wal/a.ts", 'import "../store/store.ts";'],
  ["a folder of host/ imports only", "host/novelty/a.ts", 'import "../base/log.ts";'],
  ["src/contract imports zod", "src/contract/a.ts", 'import "../core/id.ts";'],
  ["src/contract imports zod", "src/contract/a.ts", 'import "jose";'],
  ["src/ imports no runtime", "src/core/a.ts", 'import "node:fs";'],
  ["src/ imports no runtime", "src/core/a.ts", 'import type { Env } from "../../workers/a.ts";'],
  ["src/ imports no runtime", "src/core/a.ts", 'await import("cloudflare:workers");'],
  ["host/ imports src/contract", "host/a.ts", 'import "../src/core/id.ts";'],
  ["host/ imports src/contract", "host/a.ts", 'export { a } from "../src/core/id.ts";'],
  ["local/ imports host/ and", "local/launch/a.ts", 'import "../../src/core/id.ts";'],
  ["local/ imports host/ and", "local/launch/a.ts", 'export { a } from "../../bench/a.ts";'],
  ["only local/, test/ and bench/", "host/a.ts", 'import { a } from "../local/install/a.ts";'],
  ["nothing imports workers/", "bench/a.ts", 'import "../workers/api.ts";'],
  ["routes are leaves", "src/project/a.ts", 'import "../database/routes.ts";'],
  ["routes are leaves", "src/project/a.ts", 'import "./data-service-routes.ts";'],
  ["imports are relative paths", "src/core/a.ts", 'import "@/core/id.ts";'],
  ["imports are relative paths", "src/core/a.ts", 'import "./id";'],
  ["a function has at most 60", "src/core/a.ts", long(59)],
  ["the only classes", "src/core/a.ts", "export class A {}"],
  ["the only classes", "src/core/a.ts", "export const A = class extends B {};"],
  ["only the Worker and", "src/core/a.ts", "export default 1;"],
  ["there are no barrels", "src/core/a.ts", 'export * from "./id.ts";'],
  ["there are no barrels", "src/core/a.ts", 'export { newId } from "./id.ts";'],
  ["nothing is written with", "host/a.ts", "console.log(1);"],
  ["nothing is cast to any", "test/a.ts", "export const a = 1 as any;"],
  ["src/ takes time", "src/core/a.ts", "export const a = Date.now();"],
  ["src/ takes time", "src/core/a.ts", "export const a = new Date();"],
  ["src/ takes time", "src/core/a.ts", "export const a = Math.random();"],
  ["no test is skipped", "test/a.test.ts", 'test.skip("a", () => {});'],
  ["no test is skipped", "test/a.test.ts", 'describe.only("a", () => {});'],
  ["a tenant's id has one maker", "src/database/a.ts", "export const a = b as ProjectId;"],
  ["a table is written in its", "src/database/a.ts", `${table}db.update(project).set({});`],
  [
    "a table is written in its",
    "workers/a.ts",
    'import { t } from "../src/a/table.ts"; d.delete(t)',
  ],
  ["files have kebab-case", "src/core/newId.ts", ""],
  ["files have kebab-case", "src/core/index.ts", ""],
  ["a line has at most 100", "src/core/a.ts", "a".repeat(101)],
  ["nothing is promised", "src/core/a.ts", `// ${"TO"}${"DO"} more`],
  ["the repository speaks of", "README.md", `see ${"/wo"}${"rk/"}main`],
  ["every path a document", "README.md", "in `src/core/nowhere.ts`"],
  ["every path a document", "README.md", "in [a file](test/nowhere.ts)"],
  ["the README has at most 240", "README.md", "line\n".repeat(241)],
];

const isOf = (begin: string) => (name: string) => name.startsWith(begin);

describe("a rule", () => {
  test.each(samples)("finds a place where not: %s… (%s: %s)", (begin, path, text) => {
    const inCode = Object.entries({ ...importRules, ...syntaxRules });
    const rule = inCode.find(([name]) => isOf(begin)(name))?.[1];
    const textRule = Object.entries(textRules).find(([name]) => isOf(begin)(name))?.[1];
    const findings = rule?.([readCode({ path, text })]) ?? textRule?.([{ path, text }]) ?? [];
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatchObject({ file: path, remedy: expect.stringMatching(/\w{3}/) });
  });

  test("has a sample here", () => {
    const names = Object.keys({ ...importRules, ...syntaxRules, ...textRules });
    const isTested = (name: string) => samples.some(([begin]) => isOf(begin)(name));
    expect(names.filter((name) => !isTested(name))).toEqual([]);
  });
});
