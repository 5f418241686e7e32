// Answers of a store, as documents.
import type { IncomingMessage } from "node:http";

const documentBytesMax = 16 * 1024 ** 2;

const entities: Readonly<Record<string, string>> = {
  ...{ "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&amp;": "&" },
};
const unescaped = (text: string) =>
  text.replaceAll(/&(?:lt|gt|quot|apos|amp);/g, (entity) => entities[entity] ?? entity);

/** The contents of all elements of a name. */
export function elements(document: string, name: string): readonly string[] {
  const found = document.matchAll(new RegExp(`<${name}>([\\s\\S]*?)</${name}>`, "g"));
  return [...found].map(([, content = ""]) => content);
}

/** The content of the first element of a name. */
export const element = (document: string, name: string) => {
  const [content] = elements(document, name);
  return content === undefined ? undefined : unescaped(content);
};

/** All of an answer. */
export async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    bytes += chunk.length;
    if (bytes > documentBytesMax) throw new Error("The store's answer is too long.");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
