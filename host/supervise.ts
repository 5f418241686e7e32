// Keeps servers running. It looks at processes rather than at children: a server started by an
// earlier host program is treated like one of this program's own.
import { setTimeout as delay } from "node:timers/promises";
import { log, messageOf } from "./log.ts";

export type ProgramId = "postgres" | "transaction" | "session";

/** A server: Postgres, or a pooler by its pool mode. */
export interface Program {
  readonly name: ProgramId;
  /** The pid of the running server, whoever started it. */
  find(): number | undefined;
  /** Starts it; resolves when it answers, rejects with the reason when it ended before. */
  start(): Promise<void>;
  /** Rejects when it does not answer. */
  check(): Promise<void>;
  stop(): Promise<void>;
}

const lookMilliseconds = 200;
const backoffMillisecondsMax = 5000;

/** Waits until a running server answers; false when there is none (any more). */
async function adopt(program: Program): Promise<boolean> {
  for (;;) {
    const pid = program.find();
    if (pid === undefined) return false;
    const answers = await program.check().then(
      () => true,
      () => false,
    );
    if (answers) {
      log("info", `Adopted ${program.name}`, { pid });
      return true;
    }
    await delay(lookMilliseconds);
  }
}

/** Starts the server unless it runs; resolves when it answers. */
export async function ensure(program: Program): Promise<void> {
  if (await adopt(program)) return;
  const startedAt = performance.now();
  await program.start();
  const milliseconds = Math.round(performance.now() - startedAt);
  log("info", `Started ${program.name}`, { pid: program.find() ?? 0, milliseconds });
}

async function look(program: Program, failures: number): Promise<number> {
  if (program.find() !== undefined) return 0;
  log("warn", `${program.name} is not running: starting it`);
  try {
    await ensure(program);
    return 0;
  } catch (error) {
    log("error", messageOf(error));
    return failures + 1;
  }
}

/** Restarts the server whenever it is gone, until the signal aborts. */
export async function supervise(program: Program, signal: AbortSignal): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    failures = await look(program, failures);
    const backoff = lookMilliseconds * 2 ** Math.min(failures, 10);
    const pause = Math.min(backoff, backoffMillisecondsMax);
    await delay(pause, undefined, { signal }).catch(() => undefined);
  }
}
