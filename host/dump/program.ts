// pg_dump and pg_restore, in the box of the instance they work for, behind all that serves clients.
import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { environment } from "../base/spawn.ts";
import { type Box, toolLine } from "../instance/box.ts";
import { inside } from "../instance/place.ts";
import { failureIn } from "./words.ts";

const saidCharactersMax = 64 * 1024;
/** A list of what is in an archive; one that is longer is nobody's. */
const outputBytesMax = 64 * 1024 ** 2;

/** How one of them is run. */
export interface ProgramOrder {
  readonly name: "pg_dump" | "pg_restore";
  readonly args: readonly string[];
  /** Variables it reads, since everybody sees arguments. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** Directories it reads, by where it sees them. */
  readonly readable?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** Where it finds the Postgres of its box. */
export const atSocket = (login: string, database: string) => [
  ...["-h", inside.socket, "-U", login, "-d", database],
];

/** One that runs. */
interface Running {
  readonly output: Readable;
  /** Resolves when it ended well. @throws Error with its words, or the signal's reason */
  readonly ended: Promise<void>;
}

/** Starts one, which lives at most as long as this program; `output` has to be read. */
export function startProgram(
  box: Box,
  { name, args, secrets = {}, readable = {}, signal }: ProgramOrder,
): Running {
  const reach = { onlyReads: true, readable };
  const child = spawn("/usr/bin/nice", ["-n", "10", ...toolLine(box, name, args, reach)], {
    env: { ...environment, ...secrets },
    cwd: "/",
    stdio: ["ignore", "pipe", "pipe"],
    signal,
    killSignal: "SIGKILL",
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-saidCharactersMax);
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.once("error", (error) => reject(signal.aborted ? signal.reason : error));
    child.once("close", (code, by) => {
      if (signal.aborted) return reject(signal.reason);
      if (code === 0) return resolve();
      reject(new Error(`${name} failed: ${failureIn(said) || `it ended with ${code ?? by}`}`));
    });
  });
  // Whoever reads the output to its end asks for this, too.
  ended.catch(() => undefined);
  return { output: child.stdout, ended };
}

/** Runs one to its end. @returns what it wrote */
export async function runProgram(box: Box, order: ProgramOrder): Promise<string> {
  const { output, ended } = startProgram(box, order);
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of output) {
    bytes += chunk.length;
    if (bytes > outputBytesMax) throw new Error(`${order.name} says more than anybody reads.`);
    parts.push(chunk);
  }
  await ended;
  return Buffer.concat(parts).toString("utf8");
}
