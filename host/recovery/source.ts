import type { DatabaseMeans } from "../database/means.ts";
import { walDirectory } from "../wal/wal.ts";
import type { RecoverySource } from "./recover.ts";

/** What a database is recovered from, the nearest first. */
export function sourcesOf(
  { safe, second }: Pick<DatabaseMeans, "safe" | "second">,
  database: string,
): readonly RecoverySource[] {
  const repository = safe.repository(database);
  const wal = walDirectory(repository);
  const hold = () => safe.hold(database);
  const first = { number: 1 as const, repository, wal, laidOuts: safe.laidOuts(database), hold };
  return second === undefined ? [first] : [first, second(database)];
}
