// Rules about every text, whatever language it is in.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Finding, TextFile } from "./code-file.ts";

const repository = resolve(import.meta.dirname, "../..");
const columnsMax = 100;
const readmeLinesMax = 240;

type Judge = (line: string, file: TextFile) => string | null;

function findingsOf(files: readonly TextFile[], judge: Judge): Finding[] {
  return files.flatMap((file) =>
    file.text.split("\n").flatMap((text, index) => {
      const remedy = judge(text, file);
      return remedy === null ? [] : [{ file: file.path, line: index + 1, remedy }];
    }),
  );
}

const isLong: Judge = (line, { path }) => {
  if (!/\.(ts|sh|toml)$|^\.ci\//.test(path) || line.length <= columnsMax) return null;
  return `${line.length} columns: at most ${columnsMax}`;
};

// Written with a + inside, so that this file keeps its own rules.
const wordsOf = (...words: string[]) => new RegExp(words.join("|").replaceAll("+", ""));

const later = wordsOf("\\bTO+DO\\b", "\\bFIX+ME\\b", "\\bXX+X\\b");

const isPromise: Judge = (line) => (later.test(line) ? "do it now, or leave it out" : null);

// The repository speaks of itself alone.
const elsewhere = wordsOf(
  "/wo+rk/",
  "\\.\\./sha+red",
  "/tmp/br+ief",
  "\\b[Ii]ssue+s? #?\\d",
  "registry\\.npm+js\\.org",
  "deb\\.deb+ian\\.org",
  "pypi\\.+org",
  "\\b[Ss]ub+agent",
);

const isElsewhere: Judge = (line, { path }) =>
  path === "LICENSE" || !elsewhere.test(line) ? null : "leave out what only this workplace knows";

const rooms = /^(src|workers|host|local|test|bench|sdk|console|migrations|\.ci)\//;

/** Paths a Markdown file names, in code spans and links, that are not there. */
function deadPaths(file: TextFile): Finding[] {
  return file.text.split("\n").flatMap((line, index) => {
    const spans = [...line.matchAll(/`([^`]+)`|\]\(([^)#]+)\)/g)];
    const paths = spans.map(([, code, link]) => (code ?? link ?? "").replace(/:\d+$/, ""));
    return paths
      .filter((path) => rooms.test(path) && !/[<>*{}\s]/.test(path))
      .filter((path) => !existsSync(join(repository, path)))
      .map((path) => ({
        file: file.path,
        line: index + 1,
        remedy: `${path} does not exist: name what does`,
      }));
  });
}

function longReadme({ path, text }: TextFile): Finding[] {
  const lines = text.trimEnd().split("\n").length;
  if (path !== "README.md" || lines <= readmeLinesMax) return [];
  return [{ file: path, line: lines, remedy: `${lines} lines: at most ${readmeLinesMax}` }];
}

const isMarkdown = ({ path }: TextFile) => path.endsWith(".md");

/** The rules, by name. */
export const textRules: Record<string, (files: readonly TextFile[]) => Finding[]> = {
  "a line has at most 100 columns": (files) => findingsOf(files, isLong),
  "nothing is promised for later": (files) => findingsOf(files, isPromise),
  "the repository speaks of itself alone": (files) => findingsOf(files, isElsewhere),
  "every path a document names exists": (files) => files.filter(isMarkdown).flatMap(deadPaths),
  "the README has at most 240 lines": (files) => files.flatMap(longReadme),
};
