// Keeps servers running. It looks at processes rather than at children: a server started by an
// earlier host program is treated like one of this program's own. One that lives but lets nobody in
// is noticed within two seconds and healed within ten: halted, it is sent on; hanging, or told to
// stop and not gone, it is ended and started anew.
import { setTimeout as delay } from "node:timers/promises";
import { log, messageOf } from "../base/log.ts";
import { isHalted } from "../base/process.ts";
import type { Answer } from "../base/server-probe.ts";
import { countMemoryDeaths, type TellIncident } from "../observe/incident.ts";

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
  /** Asks as a new client would, and waits a second at most. */
  probe(): Promise<Answer>;
  /** Why all of its sessions ended since the last look, though it lives; null when they did not. */
  findReset?(): string | null;
  stop(): Promise<void>;
  /** Ends one that lets nobody in, without waiting for its clients. */
  end(): Promise<void>;
}

const lookMilliseconds = 200;
const backoffMillisecondsMax = 5000;
/** How long one may let nobody in before it is healed. */
export const patienceMilliseconds = 4000;
// A look that comes so much late says that the machine is starved: then nobody is judged.
const lateMilliseconds = 1000;

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
  await launch(program);
}

async function launch(program: Program): Promise<void> {
  const startedAt = performance.now();
  await program.start();
  const milliseconds = Math.round(performance.now() - startedAt);
  log("info", `Started ${program.name}`, { pid: program.find() ?? 0, milliseconds });
}

/** Since when a server lets nobody in, and why. */
interface Trouble {
  readonly since: number;
  readonly answer: Exclude<Answer, "answers" | "starting"> | "halted";
}

/** What is known of one server from look to look. */
export interface Watch {
  /** One look, with what it finds to do. */
  look(): Promise<void>;
  /** True when it let somebody in at the last look. */
  isReady(): boolean;
}

const troubleWords = {
  halted: "was halted by a signal",
  silent: "lived and did not answer",
  leaving: "was told to stop and did not go",
} as const;

/** Watches one server. `clock` gives milliseconds that only go forward. */
export function createWatch(
  program: Program,
  tell: TellIncident,
  clock: () => number = () => performance.now(),
): Watch {
  let ready = true;
  let trouble: Trouble | undefined;
  let lookedAt = clock();
  const healer = createHealer(program, tell);

  /** What keeps clients out now; undefined when nothing does. */
  async function findTrouble(pid: number): Promise<Trouble["answer"] | undefined> {
    const answer = isHalted(pid) ? "halted" : await program.probe();
    ready = answer === "answers";
    return answer === "answers" || answer === "starting" ? undefined : answer;
  }

  /** Since when it is so, of the same trouble; nothing of a machine that gives nobody time. */
  function notice(answer: Trouble["answer"] | undefined, now: number): void {
    const isStarved = now - lookedAt > lookMilliseconds + lateMilliseconds;
    if (answer === undefined || isStarved) trouble = undefined;
    else if (trouble?.answer !== answer) trouble = { answer, since: now };
  }

  async function look(): Promise<void> {
    const now = clock();
    const pid = program.find();
    if (pid === undefined) {
      [trouble, ready] = [undefined, false];
      await healer.startAgain();
      ready = true;
      return;
    }
    notice(await findTrouble(pid), now);
    if (trouble === undefined) return healer.tellReset();
    const silence = clock() - trouble.since;
    if (silence < patienceOf(trouble)) return;
    const { answer } = trouble;
    trouble = undefined;
    await healer.heal(pid, answer, silence);
    ready = answer !== "halted";
  }

  return {
    isReady: () => ready,
    look: () =>
      look().finally(() => {
        lookedAt = clock();
      }),
  };
}

/** What is done about a server, and told. */
function createHealer(program: Program, tell: TellIncident) {
  const { name } = program;
  let deaths = countMemoryDeaths();

  /** Whether the kernel ended somebody for memory since the last time this was asked. */
  function isMemory(): boolean {
    const before = deaths;
    deaths = countMemoryDeaths();
    return deaths > before;
  }

  return {
    async startAgain(): Promise<void> {
      log("warn", `${name} is not running: starting it`);
      await launch(program);
      if (isMemory()) tell(name, "out_of_memory", "The kernel ended it as memory ran out.");
      else tell(name, "crashed", "It ended by itself and was started again.");
    },
    async heal(pid: number, answer: Trouble["answer"], milliseconds: number): Promise<void> {
      const detail = `It ${troubleWords[answer]} for ${Math.round(milliseconds / 1000)} s`;
      if (answer === "halted") {
        process.kill(pid, "SIGCONT");
        tell(name, "halted", `${detail}, and was sent on.`);
        return;
      }
      await program.end();
      await launch(program);
      tell(name, answer === "silent" ? "hung" : "left", `${detail}, and was started anew.`);
    },
    tellReset(): void {
      const reset = program.findReset?.() ?? null;
      if (reset !== null) tell(name, isMemory() ? "out_of_memory" : "crashed", reset);
    },
  };
}

// Whoever halted it may mean to look at it; two seconds are enough for that here.
function patienceOf({ answer }: Trouble): number {
  return answer === "halted" ? 2000 : patienceMilliseconds;
}

/** Looks at a server again and again until the signal aborts; failures make it wait longer. */
export async function supervise(
  watch: Watch,
  signal: AbortSignal,
  everyMilliseconds = lookMilliseconds,
): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    failures = await watch.look().then(
      () => 0,
      (error) => {
        if (!signal.aborted) log("error", messageOf(error));
        return failures + 1;
      },
    );
    const backoff = everyMilliseconds * 2 ** Math.min(failures, 10);
    const pause = Math.min(backoff, backoffMillisecondsMax);
    await delay(pause, undefined, { signal }).catch(() => undefined);
  }
}
