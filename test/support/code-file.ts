// The files of this repository as text and as syntax, for the rules that can be counted.
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type EcmaScriptModule, parseSync } from "oxc-parser";

/** A place that breaks a rule, and what to do instead. */
export interface Finding {
  readonly file: string;
  readonly line: number;
  readonly remedy: string;
}

/** Any node of a syntax tree. */
export interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

/** A text file; `path` is relative to the repository. */
export interface TextFile {
  readonly path: string;
  readonly text: string;
}

/** A TypeScript file with its syntax. */
export interface CodeFile extends TextFile {
  readonly module: EcmaScriptModule;
  /** Every node, outer before inner, each with those around it, the nearest last. */
  readonly nodes: readonly { readonly node: Node; readonly around: readonly Node[] }[];
}

const repository = resolve(import.meta.dirname, "../..");
const foreign = new Set([".git", ".miosa", ".wrangler", "node_modules", "package-lock.json"]);

/** Every text file of the repository. */
export function readTextFiles(directory = ""): TextFile[] {
  return readdirSync(join(repository, directory), { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (foreign.has(entry.name) || path === "migrations/meta") return [];
    if (entry.isDirectory()) return readTextFiles(path);
    return [{ path, text: readFileSync(join(repository, path), "utf8") }];
  });
}

/** Parses a TypeScript file. */
export function readCode({ path, text }: TextFile): CodeFile {
  const { program, module, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`);
  return { path, text, module, nodes: nodesIn(program as unknown as Node, []) };
}

function nodesIn(node: Node, around: readonly Node[]): CodeFile["nodes"] {
  const inner = Object.values(node).flatMap((value) => (Array.isArray(value) ? value : [value]));
  const within = [...around, node];
  return [{ node, around }, ...inner.filter(isNode).flatMap((each) => nodesIn(each, within))];
}

/** True for a node, rather than a value of one. */
export function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && "start" in value;
}

/** The number of the line an offset is in. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

/** What an import names: a path of the repository, or a package as it is written. */
export interface Import {
  readonly file: string;
  readonly line: number;
  /** As it is written. */
  readonly specifier: string;
  /** Relative to the repository; null for a package. */
  readonly target: string | null;
}

/** Everything a file imports or re-exports, also types and dynamic imports of a literal. */
export function importsOf({ path, text, module, nodes }: CodeFile): Import[] {
  const requests = [
    ...module.staticImports.map(({ moduleRequest }) => moduleRequest),
    ...module.staticExports.flatMap(({ entries }) =>
      entries.flatMap(({ moduleRequest }) => (moduleRequest === null ? [] : [moduleRequest])),
    ),
    ...nodes.flatMap(({ node: { type, source, start } }) =>
      type === "ImportExpression" && isNode(source) && typeof source.value === "string"
        ? [{ value: source.value, start }]
        : [],
    ),
  ];
  return requests.map(({ value, start }) => ({
    file: path,
    line: lineAt(text, start),
    specifier: value,
    target: value.startsWith(".") ? join(path, "..", value) : null,
  }));
}
