// Looks after the instances of a host, once a second: with one look at their processes and one at
// who uses what, and with no query to any of them.
import { signal as send } from "../base/running.ts";
import { probeServer } from "../base/server-probe.ts";
import { createIdleLook } from "../database/idle.ts";
import { platformRole } from "../instance/fleet.ts";
import { createHealer } from "../instance/healer.ts";
import { socketPort } from "../instance/place.ts";
import { createReviver } from "../instance/reviver.ts";
import type { InstanceCondition } from "../instance/roster.ts";
import { countMemoryDeaths } from "../observe/incident.ts";
import type { LineUse } from "../pooler/pair.ts";
import type { Host } from "./open.ts";

const probeMilliseconds = 1000;
/** Looks that come so much apart say that the machine is starved, or that all stood still. */
const lateMilliseconds = 3000;

const clock = () => performance.now();

/** Whether the kernel ended somebody for memory since the last time this was asked. */
function createMemoryLook(): () => boolean {
  let deaths = countMemoryDeaths();
  return () => {
    const before = deaths;
    deaths = countMemoryDeaths();
    return deaths > before;
  };
}

/** Whose instance it is; undefined when it was removed meanwhile. */
function createOwnership({ keeper: { roster } }: Attended) {
  return (name: string) => (roster.has(name) ? roster.get(name).record.database : undefined);
}

function reviverOf(attended: Attended) {
  const { keeper, incidents, signal } = attended;
  const isMemory = createMemoryLook();
  const databaseOf = createOwnership(attended);
  return createReviver({
    ...{ revive: keeper.revive, clock, signal },
    onRevived: (name) => {
      if (isMemory()) {
        const detail = "The kernel ended it as memory ran out; it was started again.";
        incidents.tell("postgres", "out_of_memory", detail, databaseOf(name));
      } else {
        const detail = "It ended by itself and was started again.";
        incidents.tell("postgres", "crashed", detail, databaseOf(name));
      }
    },
    onFailure: (name, reason) => {
      const detail = `It ended and does not start: ${reason}`;
      incidents.tell("postgres", "crashed", detail, databaseOf(name));
    },
  });
}

function healerOf(attended: Attended) {
  const { keeper, incidents } = attended;
  const databaseOf = createOwnership(attended);
  const login = { user: platformRole, database: "postgres" };
  return createHealer({
    ...{ startAnew: keeper.startAnew, clock },
    sendOn: (server) => send(server, "SIGCONT"),
    probe: (name) => {
      const path = `${keeper.roster.box(name).place.door}/.s.PGSQL.${socketPort}`;
      return probeServer({ at: { path }, login }, probeMilliseconds);
    },
    tell: (name, what, detail) => incidents.tell("postgres", what, detail, databaseOf(name)),
  });
}

/** What it looks after, until the signal aborts. */
type Attended = Pick<Host, "keeper" | "pair" | "files" | "incidents" | "awake"> & {
  readonly signal: AbortSignal;
};

/** By instance how long its clients have waited. */
function waitsOf({ keeper }: Attended, uses: ReadonlyMap<string, LineUse>) {
  const waits = new Map<string, number>();
  for (const [line, { waitedSeconds = 0 }] of uses) {
    const name = keeper.nameAt(line);
    if (name !== undefined) waits.set(name, waitedSeconds);
  }
  return (name: string) => waits.get(name) ?? 0;
}

/** Databases whose instance runs, is to, and is not at work for the host program. */
function awakeOf({ keeper, files, awake }: Attended, conditions: readonly InstanceCondition[]) {
  const running = new Set(
    conditions
      .filter(({ record, condition }) => record.wanted === "running" && condition === "runs")
      .map(({ record }) => record.name),
  );
  const all = files.databases.all().map(({ database }) => database);
  const lines = all.filter((line) => !awake.isHeld(line));
  return new Set(lines.filter((line) => running.has(keeper.nameAt(line) ?? "")));
}

/** Makes the looks, which remember what they saw. */
export function createAttention(attended: Attended) {
  const { keeper, pair, files } = attended;
  const [reviver, healer] = [reviverOf(attended), healerOf(attended)];
  /** Who used what at the last look; undefined when a pooler did not say. */
  let uses: ReadonlyMap<string, LineUse> | undefined;
  let awake: ReadonlySet<string> = new Set();
  let lookedAt: number | undefined;

  const putToSleep = createIdleLook({
    ...{ all: files.databases.all, clock, use: async () => uses ?? new Map() },
    isAwake: (database) => awake.has(database),
    sleep: (database) => keeper.sleep(keeper.live(database).record.name),
  });

  return {
    async look(): Promise<void> {
      const conditions = keeper.roster.conditions();
      // What does not run at the first look was stopped with the host program, or the machine.
      reviver.look(conditions, lookedAt === undefined);
      const isLate = lookedAt === undefined || clock() - lookedAt > lateMilliseconds;
      lookedAt = clock();
      // Who watches the poolers tells of one that does not answer.
      uses = await pair.use().catch(() => undefined);
      awake = awakeOf(attended, conditions);
      if (isLate) healer.forget();
      else await healer.look(conditions, waitsOf(attended, uses ?? new Map()));
    },
    async sleepIdle(): Promise<void> {
      if (uses !== undefined) await putToSleep();
    },
    /** Why an instance that is to run does not. */
    failureOf: reviver.failureOf,
  };
}
export type Attention = ReturnType<typeof createAttention>;
