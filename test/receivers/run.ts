// `npm run test:receivers`: a receiver of webhooks in Python, with the reference library of
// Standard Webhooks for it, beside a whole system. The one in JavaScript is part of `npm test`.
//
// Closes with one line, `N passed, N failed`.
import { execFileSync, spawn } from "node:child_process";
import { cpSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { call, createProject, until } from "../support/client.ts";
import { freePort } from "../support/port.ts";
import { removeLeftovers } from "../support/process.ts";
import { type RunningSystem, startSystem } from "../support/system.ts";

const installed = resolve(import.meta.dirname, "../../.miosa/receivers/python");

function install(): void {
  mkdirSync(installed, { recursive: true });
  cpSync(join(import.meta.dirname, "python"), installed, { recursive: true });
  const options = { cwd: installed, stdio: "inherit" } as const;
  execFileSync("python3", ["-m", "venv", ".venv"], options);
  const packages = ["install", "--quiet", "-r", "requirements.txt"];
  execFileSync(join(installed, ".venv/bin/pip"), packages, options);
}

/** Starts the receiver; what it has printed. */
function start(port: number, secret: string) {
  const program = join(installed, ".venv/bin/python");
  const env = { WEBHOOK_SECRET: secret };
  const child = spawn(program, [join(installed, "main.py"), String(port)], { env });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
  }
  return { said: () => said, end: () => child.kill("SIGKILL") };
}

/** Throws unless it prints that a new database runs, and refuses who has no signature. */
async function play(system: RunningSystem): Promise<void> {
  const port = await freePort();
  const body = { url: `http://127.0.0.1:${port}/`, events: ["database.running"] };
  const made = await call(system, "POST", "/webhooks", { body });
  const { said, end } = start(port, made.body.data.secret);
  try {
    const forged = () => fetch(body.url, { method: "POST", body: "{}" });
    const isRefused = () => forged().then(({ status }) => status === 401);
    await until("A receiver", () => isRefused().catch(() => false), Boolean);
    const { database } = await createProject(system);
    const words = `database.running ${database.id}\n`;
    await until(
      "The event",
      async () => said(),
      (text) => text === words,
    );
  } finally {
    end();
  }
}

async function main(): Promise<number> {
  install();
  const system = await startSystem();
  try {
    await play(system);
    process.stdout.write("1 passed, 0 failed\n");
    return 0;
  } catch (error) {
    process.stdout.write(`${error}\n0 passed, 1 failed\n`);
    return 1;
  } finally {
    await system.remove();
  }
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    removeLeftovers();
    process.exit(130);
  });
}
process.exitCode = await main();
