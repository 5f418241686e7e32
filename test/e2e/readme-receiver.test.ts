// The receiver of webhooks that README.md shows, run as it stands there.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { call, createProject, until } from "../support/client.ts";
import { freePort } from "../support/port.ts";
import { system } from "../support/shared-system.ts";

const repository = resolve(import.meta.dirname, "../..");
let directory: string;
let end: () => void = () => undefined;

beforeAll(() => {
  directory = mkdtempSync(join(repository, "node_modules", ".receiver-"));
});

afterAll(() => {
  end();
  rmSync(directory, { recursive: true });
});

function receiverOfReadme(port: number): string {
  const text = readFileSync(join(repository, "README.md"), "utf8");
  const [, code] = /```js\n(import \{ createServer \}[\s\S]*?)```/.exec(text) ?? [];
  if (code?.includes("listen(4000,") !== true) throw new Error("README.md shows no receiver.");
  return code.replace("listen(4000,", `listen(${port},`);
}

/** Starts it with a secret; what it has printed. */
function start(port: number, secret: string): () => string {
  const file = join(directory, "receiver.mjs");
  writeFileSync(file, receiverOfReadme(port));
  const child = spawn(process.execPath, [file], { env: { WEBHOOK_SECRET: secret } });
  end = () => child.kill("SIGKILL");
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
  }
  return () => said;
}

test("it is told that a database runs, by somebody it can trust", async () => {
  const port = await freePort();
  const body = { url: `http://127.0.0.1:${port}/`, events: ["database.running"] };
  const made = await call(system, "POST", "/webhooks", { body });
  const said = start(port, made.body.data.secret);
  const isUp = () => fetch(body.url, { method: "POST" }).then(({ status }) => status === 401);
  await until("A receiver", () => isUp().catch(() => false), Boolean);
  const { database } = await createProject(system);
  const words = `database.running ${database.id}\n`;
  await until(
    "The event",
    async () => said(),
    (text) => text.includes(words),
  );
  expect(said()).toBe(words);
  await call(system, "DELETE", `/webhooks/${made.body.data.id}`);
});
