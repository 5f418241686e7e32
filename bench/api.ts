// The API as a bench calls it.
import { setTimeout as delay } from "node:timers/promises";
import type { Installation } from "./installation.ts";

/** The `data` of an answer. */
// biome-ignore lint/suspicious/noExplicitAny: a bench reads whatever JSON came.
export type Data = any;

/** Calls the API and returns the envelope's `data`; null for an answer without a body. */
export async function callApi(
  { apiUrl, apiKey }: Installation,
  method: string,
  path: string,
  body?: unknown,
): Promise<Data> {
  const response = await fetch(`${apiUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text === "" ? null : JSON.parse(text).data;
}

/** A new project's database, with its URLs: one that takes longer is waited for. */
export async function createDatabase(installation: Installation, name: string): Promise<Data> {
  const body = { name, data: { postgres: true } };
  const project = await callApi(installation, "POST", "/projects", body);
  const [made] = project.databases;
  if (made.database_url !== null) return made;
  for (;;) {
    const { state, error_message } = await callApi(installation, "GET", `/databases/${made.id}`);
    if (state === "failed") throw new Error(`${name} was not made: ${error_message}`);
    if (state === "running") break;
    await delay(100);
  }
  return { ...made, ...(await callApi(installation, "GET", `/databases/${made.id}/credentials`)) };
}
