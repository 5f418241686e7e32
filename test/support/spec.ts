import type { DatabaseSpec } from "../../src/contract/spec.ts";

/** The spec of a database of the published size `small`. */
export function smallSpec(login: string, verifier: string): DatabaseSpec {
  return {
    logins: [{ name: login, verifier }],
    transaction: { pool_size: 4, client_connections_max: 100 },
    session: { pool_size: 4, client_connections_max: 4 },
    memory_bytes: 512 * 1024 ** 2,
    processors: 1,
    temporary_bytes_max: 256 * 1024 ** 2,
    storage_bytes_max: 1024 ** 3,
    is_full: false,
    suspend_after_seconds: 0,
    allowed_addresses: [],
  };
}
