// Every benchmark runs at toy size: it prints its tables, and leaves nothing running.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { until } from "../support/client.ts";
import { processesOf } from "../support/process.ts";

const main = join(import.meta.dirname, "../../bench/run.ts");
const figures = [
  ...["provision", "lifecycle", "pooler", "restore", "verification", "serverless", "webhooks"],
  ...["doors", "instances"],
];

function bench(...words: readonly string[]) {
  const child = spawn(process.execPath, [main, ...words], { stdio: ["ignore", "pipe", "pipe"] });
  return { child, tables: text(child.stdout), said: text(child.stderr) };
}

/**
 * Nothing of a bench runs any more: its system and its peers are in directories with its number,
 * which are removed in the background.
 */
async function expectNothingLeftOf({ pid }: ChildProcess): Promise<void> {
  const left = () => Promise.resolve(processesOf(`/run-${pid}-`).map(commandOf));
  await until("the last process to end", left, ({ length }) => length === 0, 120);
}

/** The words a process was started with; none once it is gone. */
function commandOf(pid: number): string {
  const file = `/proc/${pid}/cmdline`;
  return existsSync(file) ? readFileSync(file, "utf8").replaceAll("\0", " ") : "";
}

test("each figure runs, and says how far it is", async () => {
  const { child, tables, said } = bench("all", "--toy");
  const [code] = await once(child, "exit");
  expect([code, await said]).toEqual([0, expect.stringContaining("about 0:")]);
  const printed = await tables;
  for (const figure of figures) {
    const own = printed.split("## ").find((part) => part.startsWith(`${figure}\n`));
    expect(own, figure).toMatch(/^Machine: .*\n[\s\S]*\|---\|/m);
    expect(own, figure).not.toContain("NaN");
  }
  await expectNothingLeftOf(child);
}, 600_000);

test("one that is interrupted ends what it started", async () => {
  const { child, said } = bench("serverless", "--toy");
  let heard = "";
  child.stderr.on("data", (chunk) => {
    heard += chunk;
    // A part begins once the system runs.
    if (heard.includes("queries")) child.kill("SIGINT");
  });
  const [code] = await once(child, "exit");
  expect([code, await said]).toEqual([130, expect.stringContaining("Interrupted by SIGINT")]);
  await expectNothingLeftOf(child);
}, 300_000);

test("a figure that is not known is named with those that are", async () => {
  const { child, tables } = bench("nothing");
  const [code] = await once(child, "exit");
  expect([code, await tables]).toEqual([2, expect.stringContaining(figures.join(" | "))]);
});
