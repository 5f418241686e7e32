// `npm run bench -- <figure>`: one command per published figure.
//
//   npm run bench -- <figure>          measures, and prints tables
//   npm run bench -- all               one figure after the other
//   npm run bench -- <figure> --toy    tries out whether it runs: its numbers mean nothing
import { endAll } from "./ending.ts";
import { followProgress, type Parts, type Progress } from "./progress.ts";
import { line, machine } from "./report.ts";
import { isToy } from "./size.ts";

/** What the file of a figure exports. */
interface Figure {
  readonly parts: Parts;
  readonly run: (progress: Progress) => Promise<void>;
}

const figures: Readonly<Record<string, () => Promise<Figure>>> = {
  provision: () => import("./provision.ts"),
  lifecycle: () => import("./lifecycle.ts"),
  pooler: () => import("./pooler.ts"),
  restore: () => import("./restore.ts"),
  verification: () => import("./verification.ts"),
  serverless: () => import("./serverless.ts"),
  webhooks: () => import("./webhook.ts"),
  doors: () => import("./doors.ts"),
  instances: () => import("./instance.ts"),
  density: () => import("./density.ts"),
};

// Far beyond what a slow machine takes: a figure that hangs ends, and says where.
const limitFactor = 6;
const toyLimitSeconds = 300;
const interruptedCode = 130;

const say = (text: string) => void process.stderr.write(`${text}\n`);

async function measure(name: string, { parts, run }: Figure): Promise<void> {
  const expected = Object.values(parts).reduce((sum, seconds) => sum + seconds, 0);
  const seconds = isToy ? toyLimitSeconds : limitFactor * expected;
  line(`## ${name}\n\nMachine: ${machine()}, ${new Date().toISOString().slice(0, 10)}\n`);
  const progress = followProgress(parts, (text) => say(`${name} ${text}`));
  const late = Promise.withResolvers<never>();
  const limit = setTimeout(() => {
    late.reject(new Error(`${name} did not end within ${seconds} s.`));
  }, seconds * 1000);
  try {
    await Promise.race([run(progress), late.promise]);
  } finally {
    clearTimeout(limit);
    progress.end();
    if (!isToy) await endAll(say);
  }
}

async function main(names: readonly string[]): Promise<number> {
  const wanted = names[0] === "all" ? Object.keys(figures) : names;
  const unknown = wanted.find((name) => figures[name] === undefined);
  if (wanted.length === 0 || unknown !== undefined) {
    line(`Name a figure: npm run bench -- ${Object.keys(figures).join(" | ")} | all`);
    return 2;
  }
  for (const name of wanted) {
    const figure = await figures[name]?.();
    if (figure !== undefined) await measure(name, figure);
  }
  return 0;
}

async function interrupt(signal: NodeJS.Signals): Promise<void> {
  say(`Interrupted by ${signal}: ending what was started.`);
  await endAll(say);
  process.exit(interruptedCode);
}

let interrupted: Promise<void> | undefined;
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    // What is being ended is ended, however often that is asked for.
    interrupted ??= interrupt(signal);
  });
}

let code = 1;
try {
  code = await main(process.argv.slice(2).filter((word) => word !== "--toy"));
} catch (error) {
  say(error instanceof Error ? (error.stack ?? error.message) : String(error));
}
// A figure whose system was ended under it fails, too.
await (interrupted ?? endAll(say));
process.exit(code);
