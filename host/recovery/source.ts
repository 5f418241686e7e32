import type { DatabaseMeans } from "../database/means.ts";
import { walDirectory } from "../wal/wal.ts";
import type { RecoverySource } from "./recover.ts";

/** What a database is recovered from, the nearest first. */
export function sourcesOf(
  { safe }: Pick<DatabaseMeans, "safe">,
  database: string,
): readonly RecoverySource[] {
  const repository = safe.repository(database);
  const wal = walDirectory(repository);
  const hold = () => safe.hold(database);
  return [{ number: 1, repository, wal, laidOuts: safe.laidOuts(database), hold }];
}
