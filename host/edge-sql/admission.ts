// Who may log in over HTTP and WebSocket: what PgBouncer decides by the address of its client it
// cannot decide there, where every client has the address of the host.
import { reservedDatabases } from "../../src/contract/database.ts";
import { defaultPools } from "../../src/contract/pool.ts";
import { type Admission, isIn } from "../admission.ts";
import type { DatabaseFiles } from "../database/record.ts";
import { SqlProblem } from "../sql-problem.ts";

const reserved: ReadonlySet<string> = new Set(reservedDatabases);

/** Decides for databases and previews as they are wanted at the moment. */
export function createAdmission({ databases, previews }: DatabaseFiles): Admission {
  const limitsOf = (line: string) => {
    if (previews.has(line)) return previews.get(line).limits;
    return databases.has(line) ? databases.get(line).spec : undefined;
  };
  return {
    admit({ database, peer }) {
      // The poolers' console is one of these, and nobody's over a network.
      if (reserved.has(database)) throw new SqlProblem("08P01", "login rejected");
      const allowed = limitsOf(database)?.allowed_addresses ?? [];
      if (allowed.length > 0 && !isIn(allowed, peer)) {
        throw new SqlProblem("08P01", "login rejected: the database does not allow this address");
      }
    },
    backendsOf: (database) => (limitsOf(database) ?? defaultPools).transaction.pool_size,
  };
}
