// What has become of recoveries, on disk: whoever asks again after a restart of the host program is
// told the same, and what was half done is gone on with.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { syncDirectory, writeAtomically } from "../file.ts";
import { log, messageOf } from "../log.ts";

const Outcome = z.strictObject({
  recovery_id: z.uuid(),
  database: z.string(),
  /** The instance that was recovered. */
  instance: z.string(),
  became: z.union([
    /** It serves the database; the one that did was put aside. */
    z.strictObject({ kind: z.literal("exchanged"), former: z.string() }),
    /** It serves another one. */
    z.strictObject({ kind: z.literal("adopted"), as: z.string() }),
    z.strictObject({ kind: z.literal("opened"), line: z.string() }),
  ]),
  at: z.iso.datetime(),
});
export type Outcome = z.infer<typeof Outcome>;

/** The outcomes of a host. */
export interface Outcomes {
  all(): readonly Outcome[];
  get(id: string): Outcome | undefined;
  /** On disk before it returns. */
  put(outcome: Omit<Outcome, "at">): void;
  remove(id: string): void;
}

function read(path: string): Outcome | undefined {
  try {
    return Outcome.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (error) {
    log("error", `${path} cannot be read: ${messageOf(error)}`);
    return undefined;
  }
}

/** Opens those in a directory. */
export function openOutcomes(directory: string): Outcomes {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const pathOf = (id: string) => join(directory, `${id}.json`);
  const files = readdirSync(directory).filter((name) => name.endsWith(".json"));
  const kept = files.flatMap((name) => read(join(directory, name)) ?? []);
  const all = new Map(kept.map((outcome) => [outcome.recovery_id, outcome]));
  return {
    all: () => [...all.values()],
    get: (id) => all.get(id),
    put(outcome) {
      const whole = { ...outcome, at: new Date().toISOString() };
      writeAtomically(pathOf(outcome.recovery_id), JSON.stringify(whole));
      syncDirectory(directory);
      all.set(outcome.recovery_id, whole);
    },
    remove(id) {
      if (!all.delete(id) || !existsSync(pathOf(id))) return;
      rmSync(pathOf(id));
      syncDirectory(directory);
    },
  };
}
