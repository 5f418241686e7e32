// The rules of the house that can be counted. A failure names file, line and what to do instead.
import { expect, test } from "vitest";
import { type Finding, readCode, readTextFiles } from "./support/code-file.ts";
import { hostLadder, importRules, ladder } from "./support/tidy-import.ts";
import { syntaxRules } from "./support/tidy-syntax.ts";
import { textRules } from "./support/tidy-text.ts";

const texts = readTextFiles();
const code = texts.filter(({ path }) => path.endsWith(".ts")).map(readCode);

const linesOf = (findings: readonly Finding[]) =>
  findings.map(({ file, line, remedy }) => `${file}:${line} ${remedy}`);

test("the rules see the whole house", () => {
  for (const room of ["src", "workers", "host", "local", "test", "bench"]) {
    expect(code.some(({ path }) => path.startsWith(`${room}/`))).toBe(true);
  }
});

test.each([
  ["src", ladder],
  ["host", hostLadder],
])("every folder of %s/ stands on its ladder", (room, rungs) => {
  const folderIn = new RegExp(`^${room}/([^/]+)/`);
  const nouns = code.flatMap(({ path }) => folderIn.exec(path)?.[1] ?? []);
  expect(nouns).not.toEqual([]);
  expect([...new Set(nouns)].filter((noun) => !rungs.includes(noun))).toEqual([]);
});

test.each(Object.entries({ ...importRules, ...syntaxRules }))("%s", (_, find) => {
  expect(linesOf(find(code))).toEqual([]);
});

test.each(Object.entries(textRules))("%s", (_, find) => {
  expect(linesOf(find(texts))).toEqual([]);
});
