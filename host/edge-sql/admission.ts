// Who may log in over HTTP and WebSocket: what PgBouncer decides by the address of its client it
// cannot decide there, where every client has the address of the host.
import { BlockList, isIPv4, isIPv6 } from "node:net";
import { reservedDatabases } from "../../src/contract/name.ts";
import { defaultPools } from "../../src/contract/pool.ts";
import type { DatabaseFiles } from "../database/record.ts";
import { SqlProblem } from "./problem.ts";

/** What a client says of itself, and where it comes from. */
export interface Caller {
  readonly user: string;
  readonly database: string;
  /** The address of the other end of its TCP connection; no header is believed. */
  readonly peer: string | undefined;
}

const reserved: ReadonlySet<string> = new Set(reservedDatabases);

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

/** Decides for databases and previews as they are wanted at the moment. */
export function createAdmission({ databases, previews }: DatabaseFiles) {
  const limitsOf = (line: string) => {
    if (previews.has(line)) return previews.get(line).limits;
    return databases.has(line) ? databases.get(line).spec : undefined;
  };
  return {
    /** @throws SqlProblem unless PgBouncer may be asked about this login. */
    admit({ database, peer }: Caller): void {
      // The poolers' console is one of these, and nobody's over a network.
      if (reserved.has(database)) throw new SqlProblem("08P01", "login rejected");
      const allowed = limitsOf(database)?.allowed_addresses ?? [];
      if (allowed.length > 0 && !isIn(allowed, peer)) {
        throw new SqlProblem("08P01", "login rejected: the database does not allow this address");
      }
    },
    /** Backends the database has at the transaction port. */
    backendsOf: (database: string): number =>
      (limitsOf(database) ?? defaultPools).transaction.pool_size,
  };
}
export type Admission = ReturnType<typeof createAdmission>;
