// Rules about how code is written.
import { basename } from "node:path";
import { type CodeFile, type Finding, importsOf, isNode, lineAt, type Node } from "./code-file.ts";

const functionLinesMax = 60;

type Judge = (node: Node, file: CodeFile, around: readonly Node[]) => string | null;

function findingsOf(files: readonly CodeFile[], judge: Judge): Finding[] {
  return files.flatMap((file) =>
    file.nodes.flatMap(({ node, around }) => {
      const remedy = judge(node, file, around);
      const line = lineAt(file.text, node.start);
      return remedy === null ? [] : [{ file: file.path, line, remedy }];
    }),
  );
}

/** The dotted name of `a.b.c` or `a`; empty for anything else. */
function nameOf(node: unknown): string {
  if (!isNode(node)) return "";
  if (node.type === "Identifier") return String(node.name);
  if (node.type !== "MemberExpression" || node.computed === true) return "";
  return `${nameOf(node.object)}.${nameOf(node.property)}`;
}

const isIn = (file: CodeFile, room: string) => file.path.startsWith(`${room}/`);
const functions = new Set(["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression"]);

const isLongFunction: Judge = (node, { text }, around) => {
  if (!functions.has(node.type)) return null;
  // A group of tests is a list, not a function.
  const call = around.at(-1);
  if (call?.type === "CallExpression" && /^\s*describe\b/.test(text.slice(call.start))) return null;
  const lines = lineAt(text, node.end) - lineAt(text, node.start) + 1;
  const remedy = `${lines} lines: split it, at most ${functionLinesMax}`;
  return lines <= functionLinesMax ? null : remedy;
};

const isClass: Judge = (node, { path }) => {
  if (!node.type.startsWith("Class") || node.type === "ClassBody") return null;
  const parent = nameOf(node.superClass);
  const mayBe = parent.endsWith("Error") || parent === "DurableObject" || path.startsWith("sdk/");
  return mayBe ? null : "write functions over a plain object";
};

const isDefaultExport: Judge = (node, { path }) => {
  if (node.type !== "ExportDefaultDeclaration") return null;
  const mayHave = path === "workers/main.ts" || path.endsWith(".config.ts");
  return mayHave ? null : "export it by name";
};

const isReexport: Judge = (node, { path }) => {
  if (node.type === "ExportAllDeclaration") return "import from the file that defines it";
  const isFrom = node.type === "ExportNamedDeclaration" && isNode(node.source);
  return isFrom && path !== "workers/main.ts" ? "import from the file that defines it" : null;
};

const isConsoleLog: Judge = (node) => {
  if (node.type !== "MemberExpression" || !/^console\.(log|debug|info)$/.test(nameOf(node))) {
    return null;
  }
  return "use the context's log, or process.stdout of a program";
};

const isAny: Judge = (node) => {
  const { type, typeAnnotation } = node;
  const isCast = type === "TSAsExpression" || type === "TSTypeAssertion";
  const toAny = isCast && isNode(typeAnnotation) && typeAnnotation.type === "TSAnyKeyword";
  return toAny ? "name the type, or check it with a schema" : null;
};

// What has to come from the Context, so that tests can set it.
const ambient = new Map([
  ["Date.now", "context.now()"],
  ["Math.random", "context.random()"],
  ["performance.now", "context.now()"],
  ["crypto.randomUUID", "newId(context)"],
  ["crypto.getRandomValues", "context.random()"],
  ["process.env", "a port of the Context"],
]);

const isAmbient: Judge = (node, file) => {
  if (!isIn(file, "src")) return null;
  const { type, callee } = node;
  const isNow = type === "NewExpression" && nameOf(callee) === "Date";
  if (isNow && Array.isArray(node.arguments) && node.arguments.length === 0) {
    return "use context.now()";
  }
  const instead = type === "MemberExpression" ? ambient.get(nameOf(node)) : undefined;
  return instead === undefined ? null : `use ${instead}`;
};

const isSkipped: Judge = (node, file) => {
  if (!isIn(file, "test") || node.type !== "MemberExpression") return null;
  const isLess = /^(test|it|describe)\.(skip|skipIf|only|todo|fails)$/.test(nameOf(node));
  return isLess ? "let it run, or delete it" : null;
};

// Who may call a text a tenant's id: after the actor was checked, or from a lane's own name.
const branded = new Map([
  ["ProjectId", "src/project/find.ts"],
  ["OrganizationId", "src/account/authenticate.ts"],
]);

const isForgedId: Judge = (node, { path }) => {
  if (node.type !== "TSAsExpression" || !isNode(node.typeAnnotation)) return null;
  const name = nameOf(node.typeAnnotation.typeName);
  const maker = branded.get(name);
  return maker === undefined || maker === path ? null : `get a ${name} from ${maker}`;
};

const writes = new Set(["insert", "update", "delete"]);

/** Calls of insert, update and delete on a table of another folder. */
function foreignWrites(file: CodeFile): Finding[] {
  const tables = new Map<string, string>();
  for (const { moduleRequest, entries } of file.module.staticImports) {
    const found = importsOf(file).find(({ specifier }) => specifier === moduleRequest.value);
    if (found?.target?.endsWith("/table.ts") !== true) continue;
    for (const { localName } of entries) tables.set(localName.value, found.target);
  }
  return file.nodes.flatMap(({ node: { type, callee, arguments: input, start } }) => {
    if (type !== "CallExpression" || !isNode(callee) || !Array.isArray(input)) return [];
    const table = tables.get(nameOf(input[0]));
    const isWrite = isNode(callee.property) && writes.has(nameOf(callee.property));
    const folder = table?.slice(0, -"/table.ts".length);
    if (!isWrite || folder === undefined || isIn(file, folder)) return [];
    const remedy = `ask ${folder} for a statement and put it into your batch`;
    return [{ file: file.path, line: lineAt(file.text, start), remedy }];
  });
}

function badNames(file: CodeFile): Finding[] {
  const isPlain = /^[a-z0-9]+(-[a-z0-9]+)*(\.(test|config|d))?\.ts$/.test(basename(file.path));
  const isIndex = basename(file.path) === "index.ts";
  const remedy = isIndex ? "name the file by its verb" : "name the file in kebab-case";
  return isPlain && !isIndex ? [] : [{ file: file.path, line: 1, remedy }];
}

/** The rules, by name. */
export const syntaxRules: Record<string, (files: readonly CodeFile[]) => Finding[]> = {
  "a function has at most 60 lines": (files) => findingsOf(files, isLongFunction),
  "the only classes are the Durable Object, errors and SDK clients": (files) =>
    findingsOf(files, isClass),
  "only the Worker and configurations have a default export": (files) =>
    findingsOf(files, isDefaultExport),
  "there are no barrels": (files) => findingsOf(files, isReexport),
  "nothing is written with console.log": (files) => findingsOf(files, isConsoleLog),
  "nothing is cast to any": (files) => findingsOf(files, isAny),
  "src/ takes time and randomness from its Context": (files) => findingsOf(files, isAmbient),
  "no test is skipped or runs alone": (files) => findingsOf(files, isSkipped),
  "a tenant's id has one maker": (files) => findingsOf(files, isForgedId),
  "a table is written in its own folder alone": (files) =>
    files
      .filter((file) => isIn(file, "src") || isIn(file, "workers"))
      .flatMap((file) => foreignWrites(file)),
  "files have kebab-case names": (files) => files.flatMap(badNames),
};
