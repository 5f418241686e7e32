import { cpus, release, totalmem } from "node:os";

/** Writes one line of a report. */
export function line(text = ""): void {
  process.stdout.write(`${text}\n`);
}

/** Writes rows under a header as a Markdown table. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): void {
  line(`| ${header.join(" | ")} |`);
  line(`|${header.map(() => "---").join("|")}|`);
  for (const row of rows) line(`| ${row.join(" | ")} |`);
  line();
}

/** One line about the machine a figure was measured on. */
export function machine(): string {
  const [cpu] = cpus();
  const memoryGigabytes = Math.round(totalmem() / 1024 ** 3);
  const cores = `${cpus().length} × ${cpu?.model ?? "unknown CPU"}`;
  return `${cores}, ${memoryGigabytes} GB, Linux ${release()}`;
}

/** Milliseconds with one decimal. */
export function ms(value: number): string {
  return value.toFixed(1);
}
