// Who may log in through this program: what PgBouncer decides by the address of its client it
// cannot decide here, where every client has the address of the host.
import { BlockList, isIPv4, isIPv6 } from "node:net";
import { reservedDatabases } from "../src/contract/database.ts";
import { defaultPools } from "../src/contract/pool.ts";
import type { DatabaseFile } from "./database-file.ts";
import { controlUser, poolerUser } from "./secret.ts";
import { SqlProblem } from "./sql-problem.ts";

/** What a client says of itself, and where it comes from. */
export interface Caller {
  readonly user: string;
  readonly database: string;
  /** The address of the other end of its TCP connection; no header is believed. */
  readonly peer: string | undefined;
}

const reserved: ReadonlySet<string> = new Set(reservedDatabases);
const platformUsers: ReadonlySet<string> = new Set([controlUser, poolerUser]);

/** True when the address is in one of the networks; an IPv4 one may be written as IPv6. */
export function isIn(networks: readonly string[], address: string | undefined): boolean {
  const plain = address?.replace(/^::ffff:(?=\d+\.)/i, "") ?? "";
  const family = isIPv4(plain) ? "ipv4" : "ipv6";
  if (family === "ipv6" && !isIPv6(plain)) return false;
  const list = new BlockList();
  for (const network of networks) {
    const [base = "", length] = network.split("/");
    list.addSubnet(base, Number(length), isIPv4(base) ? "ipv4" : "ipv6");
  }
  return list.check(plain, family);
}

/** Decides for databases as they are wanted at the moment. */
export function createAdmission(file: Pick<DatabaseFile, "all" | "previews">) {
  const limitsOf = (database: string) => file.previews.get(database) ?? file.all.get(database);

  /** @throws SqlProblem unless PgBouncer may be asked about this login. */
  function admit({ user, database, peer }: Caller): void {
    if (reserved.has(database) || platformUsers.has(user)) {
      throw new SqlProblem("08P01", "login rejected");
    }
    const allowed = limitsOf(database)?.allowed_addresses ?? [];
    if (allowed.length > 0 && !isIn(allowed, peer)) {
      throw new SqlProblem("08P01", "login rejected: the database does not allow this address");
    }
  }

  /** Backends the database has at the transaction port. */
  function backendsOf(database: string): number {
    return limitsOf(database)?.transaction?.pool_size ?? defaultPools.transaction.pool_size;
  }

  return { admit, backendsOf };
}
export type Admission = ReturnType<typeof createAdmission>;
