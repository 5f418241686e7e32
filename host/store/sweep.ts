// Sees which databases became others than they were, and looks at all of them in turn: nothing has
// to be told of to reach the store at last.
import { existsSync, readdirSync } from "node:fs";
import { DatabaseName } from "../../src/contract/name.ts";
import type { DatabaseRecord } from "../database/record.ts";
import type { InstanceRecord } from "../instance/record.ts";
import { instanceOf, repositoriesIn, type StoreOptions } from "./work.ts";

/** Begins with all of them as others. */
export function createSweep(options: StoreOptions) {
  const { fleet, files } = options;
  const seen = new Map<string, readonly [DatabaseRecord, InstanceRecord | undefined]>();
  let turn: string[] = [];

  return {
    /** Those that are new, changed or gone since. */
    changed(): readonly string[] {
      const all = new Map(files.databases.all().map((record) => [record.database, record]));
      const changed = [...all].filter(([database, record]) => {
        const instance = instanceOf(options, database);
        const [before, instanceBefore] = seen.get(database) ?? [];
        seen.set(database, [record, instance]);
        return before !== record || instanceBefore !== instance;
      });
      const gone = [...seen.keys()].filter((database) => !all.has(database));
      for (const database of gone) seen.delete(database);
      return [...changed.map(([database]) => database), ...gone];
    },
    /** The next one in turn, also of those that were removed; undefined when there is none. */
    next(): string | undefined {
      const directory = repositoriesIn(fleet);
      if (turn.length === 0 && existsSync(directory)) {
        turn = readdirSync(directory).filter((name) => DatabaseName.safeParse(name).success);
      }
      return turn.pop();
    },
  };
}
