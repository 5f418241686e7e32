// `/docs`: the OpenAPI document as one page. Made here, with no script and nothing from elsewhere,
// so that it also renders where there is no internet.
import type { OpenAPIHono } from "@hono/zod-openapi";
import { html, raw } from "hono/html";
import type { ApiEnv } from "./api.ts";
import type { ApiDocument } from "./openapi.ts";

type Paths = NonNullable<ApiDocument["paths"]>;
type Operation = NonNullable<Paths[string]["get"]>;
type Schema = Record<string, unknown>;

interface Entry {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

const methods = ["get", "post", "put", "patch", "delete"] as const;
const depthMax = 4;

/** Mounts the page and a front door that leads to it. */
export function mountDocs(app: OpenAPIHono<ApiEnv>, document: () => ApiDocument): void {
  app.get("/docs", (c) => {
    c.header("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'");
    return c.html(page(document()));
  });
  app.get("/", (c) => c.redirect("/docs"));
}

function page(document: ApiDocument) {
  const entries = entriesOf(document);
  const tags = [...new Set(entries.map(tagOf))];
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>${document.info.title} API</title>
        <style>${raw(style)}</style>
      </head>
      <body>
        <nav>
          <a href="#top"><b>${document.info.title}</b></a>
          ${tags.map((tag) => navigation(tag, entries))}
        </nav>
        <main id="top">
          <h1>${document.info.title}</h1>
          <p>${document.info.description ?? ""}</p>
          <p>
            Send <code>Authorization: Bearer msk_…</code> with every call and JSON as the body. An
            <code>Idempotency-Key</code> makes a mutation safe to repeat for 24 hours. The same
            document for programs: <a href="/openapi.json">openapi.json</a>.
          </p>
          ${entries.map((entry) => section(document, entry))}
        </main>
      </body>
    </html>`;
}

function entriesOf(document: ApiDocument): Entry[] {
  return Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
    methods.flatMap((method) => {
      const operation = item[method];
      return operation === undefined ? [] : [{ method: method.toUpperCase(), path, operation }];
    }),
  );
}

function tagOf({ operation }: Entry): string {
  return operation.tags?.[0] ?? "other";
}

function navigation(tag: string, entries: readonly Entry[]) {
  const ofTag = entries.filter((entry) => tagOf(entry) === tag);
  return html`<h4>${tag}</h4>${ofTag.map(link)}`;
}

function link({ operation }: Entry) {
  return html`<a href="#${operation.operationId ?? ""}">${operation.operationId ?? ""}</a>`;
}

function section(document: ApiDocument, { method, path, operation }: Entry) {
  const { operationId = "", summary = "", description = "" } = operation;
  const body = contentOf(operation.requestBody);
  return html`<section id="${operationId}">
    <h2>${operationId}</h2>
    <p class="call"><b class="${method}">${method}</b> <code>${path}</code></p>
    <p>${summary}. ${description}</p>
    ${parameters(operation)}
    ${body === null ? "" : html`<h3>Body</h3><pre>${outline(document, body)}</pre>`}
    ${Object.entries(operation.responses ?? {}).map(([status, response]) => {
      const content = Number(status) < 300 ? contentOf(response) : null;
      const { description: meaning = "" } = response as { description?: string };
      return html`<details ${Number(status) < 300 ? "open" : ""}>
        <summary><b>${status}</b> ${meaning}</summary>
        ${content === null ? "" : html`<pre>${outline(document, content)}</pre>`}
      </details>`;
    })}
  </section>`;
}

function parameters({ parameters: given = [] }: Operation) {
  if (given.length === 0) return "";
  const rows = given as { name: string; in: string; required?: boolean }[];
  return html`<table>
    ${rows.map(
      ({ name, in: place, required }) =>
        html`<tr>
          <td><code>${name}</code></td>
          <td>${place}${required === true ? ", required" : ""}</td>
        </tr>`,
    )}
  </table>`;
}

function contentOf(holder: unknown): Schema | null {
  const { content } = (holder ?? {}) as { content?: Record<string, { schema?: Schema }> };
  return content?.["application/json"]?.schema ?? null;
}

// A schema as the JSON it describes, with types in the place of values.
function outline(document: ApiDocument, schema: Schema, depth = 0): string {
  const name =
    String(schema.$ref ?? "")
      .split("/")
      .at(-1) ?? "";
  const known = (document.components?.schemas ?? {}) as Record<string, Schema>;
  if (name !== "") return outline(document, known[name] ?? {}, depth);
  const alternatives = (schema.anyOf ?? schema.oneOf ?? schema.allOf) as Schema[] | undefined;
  if (alternatives !== undefined) {
    return alternatives.map((each) => outline(document, each, depth)).join(" | ");
  }
  if (schema.enum !== undefined) return (schema.enum as unknown[]).map((v) => `"${v}"`).join(" | ");
  if (schema.items !== undefined) return `[${outline(document, schema.items as Schema, depth)}]`;
  if (schema.properties === undefined) return [schema.type ?? "any"].flat().join(" | ");
  if (depth > depthMax) return "{…}";
  const required = (schema.required ?? []) as string[];
  const indent = "  ".repeat(depth + 1);
  const fields = Object.entries(schema.properties as Record<string, Schema>).map(
    ([key, value]) =>
      `${indent}${key}${required.includes(key) ? "" : "?"}: ${outline(document, value, depth + 1)}`,
  );
  return `{\n${fields.join("\n")}\n${"  ".repeat(depth)}}`;
}

const style = `
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: #1c2024; display: flex }
nav { position: sticky; top: 0; height: 100vh; overflow: auto; padding: 1rem; min-width: 13rem;
  box-sizing: border-box; background: #f6f7f9; font-size: .85rem }
nav a { display: block; color: inherit; text-decoration: none; padding: .1rem 0 }
nav h4 { margin: 1rem 0 .2rem; text-transform: uppercase; font-size: .7rem; color: #60646c }
main { padding: 1rem 2rem 6rem; max-width: 52rem; min-width: 0 }
section { border-top: 1px solid #e0e3e8; margin-top: 2rem }
pre { background: #f6f7f9; padding: .8rem; overflow: auto; font-size: .8rem }
.call b { background: #1c2024; color: #fff; padding: .1rem .5rem; border-radius: .3rem }
.call .GET { background: #0b6bcb } .call .POST { background: #18794e }
.call .DELETE { background: #c62a2f } .call .PATCH { background: #8a5a00 }
td { padding: .1rem 1rem .1rem 0 } details { margin: .4rem 0 }
@media (max-width: 50rem) { nav { display: none } main { padding: 1rem } }
@media (prefers-color-scheme: dark) { body { background: #111417; color: #e6e8eb }
  nav, pre { background: #1a1e22 } section { border-color: #2a2f35 } a { color: #7cb7ff } }
`;
