// The OpenAPI document says what stands before every call: headers, and the refusal of what is not
// known.
import { beforeAll, describe, expect, it } from "vitest";
import { createTestApi } from "../support/api.ts";

interface Schema {
  readonly $ref?: string;
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: unknown;
}

interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly schema: Schema;
  }[];
  readonly requestBody?: { readonly content: Record<string, { readonly schema: Schema }> };
  readonly responses: Record<string, unknown>;
}

interface Document {
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, Schema> };
}

let document: Document;
let calls: readonly (readonly [method: string, operation: Operation])[];
beforeAll(async () => {
  const api = await createTestApi();
  document = (await api.call("GET", "/openapi.json", { key: null })).body;
  calls = Object.entries(document.paths)
    .filter(([path]) => path.startsWith("/api/"))
    .flatMap(([, item]) => Object.entries(item));
});

/** The objects a schema may be. */
function objectsOf(schema: Schema): readonly Schema[] {
  const { $ref, anyOf, allOf } = schema;
  if ($ref !== undefined) {
    return objectsOf(document.components.schemas[$ref.split("/").at(-1) ?? ""] ?? {});
  }
  const parts = anyOf ?? allOf;
  return parts === undefined ? [schema] : parts.flatMap(objectsOf);
}

const bounds: Readonly<Record<string, readonly string[]>> = {
  string: ["pattern", "enum", "format", "maxLength", "const"],
  number: ["maximum", "enum", "const"],
  integer: ["maximum", "enum", "const"],
};

/** Where a schema takes a text or a number of any kind. */
function unboundedOf(schema: Schema, path: string): readonly string[] {
  const { properties = {}, items } = schema;
  const types = [schema.type ?? []].flat();
  const isOpen = types.some((type) => bounds[type]?.every((bound) => !(bound in schema)));
  return [
    ...(isOpen ? [path] : []),
    ...(items === undefined ? [] : objectsOf(items).flatMap((it) => unboundedOf(it, `${path}[]`))),
    ...Object.entries(properties).flatMap(([name, property]) =>
      objectsOf(property).flatMap((it) => unboundedOf(it, `${path}.${name}`)),
    ),
  ];
}

describe("every call of the API", () => {
  it("says of each text and number what it may be", () => {
    const open = calls.flatMap(([, { operationId, parameters = [], requestBody }]) => {
      const bodies = Object.values(requestBody?.content ?? {}).map((content) => content.schema);
      const named = parameters.map(
        ({ name, schema }) => [`${operationId} ?${name}`, schema] as const,
      );
      const all = [...named, ...bodies.map((schema) => [operationId, schema] as const)];
      return all.flatMap(([path, schema]) =>
        objectsOf(schema).flatMap((it) => unboundedOf(it, path)),
      );
    });
    expect(open).toEqual([]);
  });

  it("has a body in which an unknown field is refused", () => {
    const open = calls.flatMap(([, { operationId, requestBody }]) => {
      const schema = requestBody?.content["application/json"]?.schema;
      const objects = schema === undefined ? [] : objectsOf(schema);
      const isOpen = objects.some(({ type, additionalProperties }) => {
        return type === "object" && additionalProperties !== false;
      });
      return isOpen ? [operationId] : [];
    });
    expect(calls.length).toBeGreaterThan(100);
    expect(open).toEqual([]);
  });

  it("says that it refuses what is wrong or not known", () => {
    const silent = calls.filter(([, { responses }]) => responses["422"] === undefined);
    expect(silent.map(([, { operationId }]) => operationId)).toEqual([]);
  });

  it("names the headers it goes by", () => {
    for (const [method, { operationId, parameters = [] }] of calls) {
      const names = parameters.filter((each) => each.in === "header").map(({ name }) => name);
      const wanted = ["X-MIOSA-Tenant", "X-Miosa-Workspace"];
      if (method !== "get") wanted.push("Idempotency-Key");
      expect(names, operationId).toEqual(expect.arrayContaining(wanted));
    }
  });
});
