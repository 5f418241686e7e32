// The host program's own log: one JSON object a line on stderr. Secrets never come here.

/** Facts beside a message; values must be safe to show an operator. */
export type LogFields = Record<string, string | number | boolean>;

/** Writes one line. */
export function log(level: "info" | "warn" | "error", message: string, fields: LogFields = {}) {
  const line = { time: new Date().toISOString(), level, message, ...fields };
  process.stderr.write(`${JSON.stringify(line)}\n`);
}

/** An error's message, whatever was thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join("; ");
  return error instanceof Error ? error.message : String(error);
}
