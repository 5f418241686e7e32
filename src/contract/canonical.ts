// JSON in its one canonical form (RFC 8785), so that whoever has the fields has the signed bytes.

/**
 * Keys sorted by their UTF-16 code units, no white space; numbers and strings as JavaScript
 * writes them, which is how the form is defined.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value)
    .filter(([, each]) => each !== undefined)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([key, each]) => `${JSON.stringify(key)}:${canonicalJson(each)}`);
  return `{${entries.join(",")}}`;
}
